// SPDX-License-Identifier: MIT
#include "pool/access_log.h"

#include <fmt/format.h>

#include <ctime>

#include "common/clock.h"
#include "common/log_text.h"

namespace lb {

namespace {

using Buffer = fmt::basic_memory_buffer<char, 2048>;

// What a client sends is logged up to here.
constexpr size_t kLongestUri = 8 * 1024;
constexpr size_t kLongestText = 1024;

void append(std::string_view text, Buffer& out) {
  out.append(text.data(), text.data() + text.size());
}

template <typename Number>
void append_number(Number number, Buffer& out) {
  fmt::format_int text(number);
  out.append(text.data(), text.data() + text.size());
}

// Milliseconds, with microseconds where there are any.
void append_ms(int64_t us, Buffer& out) {
  append_number(us / 1000, out);
  if (us % 1000 != 0) fmt::format_to(std::back_inserter(out), ".{:03}", us % 1000);
}

// The text of a second, which many lines share.
struct SecondText {
  int64_t second = -1;
  std::string iso;       // 2026-11-21T17:00:00
  std::string combined;  // 21/Nov/2026:17:00:00 +0000
};

const SecondText& text_of(int64_t second) {
  static thread_local SecondText last;
  if (last.second == second) return last;
  time_t when = second;
  tm utc{};
  gmtime_r(&when, &utc);
  char text[64];
  last.second = second;
  last.iso.assign(text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc));
  // Not by %b, whose names are the locale's.
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  last.combined =
      fmt::format("{:02}/{}/{}:{:02}:{:02}:{:02} +0000", utc.tm_mday, kMonths[utc.tm_mon],
                  utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return last;
}

struct Durations {
  int64_t queue_us = AccessRecord::kNever;
  int64_t connect_us = AccessRecord::kNever;
  int64_t response_us = AccessRecord::kNever;
};

// From moments since the beginning to how long each part took.
Durations durations_of(const AccessRecord& record) {
  Durations durations;
  if (record.queued_us < 0) return durations;
  durations.queue_us = record.queued_us;
  if (record.connected_us < 0) return durations;
  durations.connect_us = record.connected_us - record.queued_us;
  if (record.answered_us >= 0) durations.response_us = record.answered_us - record.connected_us;
  return durations;
}

// Keys are the same for every line of a kind; what is not there is null.
class JsonLine {
 public:
  explicit JsonLine(Buffer& out) : out_(out) { out_.push_back('{'); }

  void text(std::string_view key, std::string_view value, size_t most = kLongestText) {
    begin(key);
    quoted(value.substr(0, most));
  }
  void text_or_null(std::string_view key, std::string_view value) {
    if (value.empty()) return null(key);
    text(key, value);
  }
  void number(std::string_view key, uint64_t value) {
    begin(key);
    append_number(value, out_);
  }
  void ms(std::string_view key, int64_t us) {
    if (us < 0) return null(key);
    begin(key);
    append_ms(us, out_);
  }
  void null(std::string_view key) {
    begin(key);
    append("null", out_);
  }
  void begin(std::string_view key) {
    if (out_.size() > 1) out_.push_back(',');
    out_.push_back('"');
    append(key, out_);
    append("\":", out_);
  }
  void end() { append("}\n", out_); }

 private:
  void quoted(std::string_view value) {
    out_.push_back('"');
    append_json_text(value, out_);
    out_.push_back('"');
  }

  Buffer& out_;
};

void append_json_request(const AccessRecord& record, JsonLine& line, Buffer& out) {
  line.text_or_null("method", record.method);
  line.text_or_null("host", record.host);
  if (record.path.empty()) {
    line.null("uri");
  } else {
    line.begin("uri");
    out.push_back('"');
    append_json_text(record.path.substr(0, kLongestUri), out);
    append_json_text(record.query.substr(0, kLongestUri), out);
    out.push_back('"');
  }
  if (record.status == 0) {
    line.null("status");
  } else {
    line.number("status", static_cast<uint64_t>(record.status));
  }
  line.text_or_null("referer", record.referer);
  line.text_or_null("user_agent", record.user_agent);
  line.text_or_null("request_id", record.request_id);
}

void append_json_line(std::string_view listener, const AccessRecord& record, int64_t now_ms,
                      Buffer& out) {
  int64_t began_ms = now_ms - record.took_us / 1000;
  JsonLine line(out);
  line.begin("time");
  fmt::format_to(std::back_inserter(out), "\"{}.{:03}Z\"", text_of(began_ms / 1000).iso,
                 began_ms % 1000);
  line.text("listener", listener);
  line.text("client",
            record.client.is_ip() ? record.client.ip_string() : record.client.to_string());
  if (record.client.is_ip() && record.client.port() != 0) {
    line.number("client_port", record.client.port());
  } else {
    line.null("client_port");
  }
  line.text("protocol", record.protocol);
  line.text_or_null("tls", record.tls);
  line.text_or_null("sni", record.sni);
  if (record.is_http()) append_json_request(record, line, out);
  line.text_or_null("pool", record.pool);
  line.text_or_null("server", record.server);
  line.number("retries", record.retries);
  line.number("bytes_in", record.bytes_in);
  line.number("bytes_out", record.bytes_out);
  if (record.is_udp()) {
    line.number("datagrams_in", record.datagrams_in);
    line.number("datagrams_out", record.datagrams_out);
  }
  Durations durations = durations_of(record);
  line.ms("queue_ms", durations.queue_us);
  line.ms("connect_ms", durations.connect_us);
  line.ms("response_ms", durations.response_us);
  line.ms("duration_ms", record.took_us);
  line.text("termination", record.termination);
  line.end();
}

void append_or_dash(std::string_view value, Buffer& out) {
  if (value.empty()) return out.push_back('-');
  append_quoted_text(value.substr(0, kLongestText), out);
}

void append_ms_or_dash(std::string_view key, int64_t us, Buffer& out) {
  append(key, out);
  if (us < 0) return out.push_back('-');
  append_ms(us, out);
}

void append_request_line(const AccessRecord& record, Buffer& out) {
  if (!record.is_http()) return append(record.is_udp() ? "UDP" : "TCP", out);
  append_or_dash(record.method, out);
  if (record.method.empty()) return;
  out.push_back(' ');
  append_quoted_text(record.path.substr(0, kLongestUri), out);
  append_quoted_text(record.query.substr(0, kLongestUri), out);
  out.push_back(' ');
  append(record.protocol, out);
}

// As Apache's and nginx's, then what they do not have, by name.
void append_combined_line(std::string_view listener, const AccessRecord& record, int64_t now_ms,
                          Buffer& out) {
  int64_t began_ms = now_ms - record.took_us / 1000;
  if (record.client.is_ip()) {
    append(record.client.ip_string(), out);
  } else {
    append("unix:", out);  // a path could hold anything
  }
  fmt::format_to(std::back_inserter(out), " - - [{}] \"", text_of(began_ms / 1000).combined);
  append_request_line(record, out);
  append("\" ", out);
  if (record.status == 0) {
    out.push_back('-');
  } else {
    append_number(record.status, out);
  }
  out.push_back(' ');
  append_number(record.bytes_out, out);
  append(" \"", out);
  append_or_dash(record.referer, out);
  append("\" \"", out);
  append_or_dash(record.user_agent, out);
  append("\" listener=", out);
  append(listener, out);
  append(" server=", out);
  if (record.server.empty()) {
    out.push_back('-');
  } else {
    append(record.pool, out);
    out.push_back('/');
    append(record.server, out);
  }
  append(" retries=", out);
  append_number(record.retries, out);
  Durations durations = durations_of(record);
  append_ms_or_dash(" queue_ms=", durations.queue_us, out);
  append_ms_or_dash(" connect_ms=", durations.connect_us, out);
  append_ms_or_dash(" response_ms=", durations.response_us, out);
  append_ms_or_dash(" duration_ms=", record.took_us, out);
  append(" termination=\"", out);
  append(record.termination, out);
  append("\"\n", out);
}

void append_line(std::string_view listener, AccessLogConfig::Format format,
                 const AccessRecord& record, int64_t now_ms, Buffer& out) {
  if (format == AccessLogConfig::Format::json) {
    append_json_line(listener, record, now_ms, out);
  } else {
    append_combined_line(listener, record, now_ms, out);
  }
}

}  // namespace

void AccessLog::write(size_t worker, const AccessRecord& record) const {
  Buffer out;
  append_line(listener_, format_, record, unix_ms(), out);
  file_->write(worker, {out.data(), out.size()});
}

std::string AccessLog::line(const std::string& listener, AccessLogConfig::Format format,
                            const AccessRecord& record, int64_t now_ms) {
  Buffer out;
  append_line(listener, format, record, now_ms, out);
  return fmt::to_string(out);
}

}  // namespace lb
