// SPDX-License-Identifier: MIT
#include "l7/span.h"

#include <fmt/format.h>

#include <initializer_list>
#include <iterator>
#include <utility>

#include "common/log_text.h"
#include "l7/trace_context.h"
#include "net/tls_session.h"
#include "pool/server.h"

namespace lb {

namespace {

using Buffer = fmt::basic_memory_buffer<char, 2048>;

// What a client sends is told up to here.
constexpr size_t kMostText = 1'024;
constexpr int kServerKind = 2;
constexpr int kErrorStatus = 2;
constexpr int kFirstServerError = 500;

void append(std::string_view text, Buffer& out) {
  out.append(text.data(), text.data() + text.size());
}

void append_id(std::string_view key, std::initializer_list<uint64_t> halves, Buffer& out) {
  append(key, out);
  for (uint64_t half : halves) {
    char digits[16];
    write_trace_id(half, digits);
    append({digits, sizeof(digits)}, out);
  }
  out.push_back('"');
}

// What is not there is left out. Names as OpenTelemetry's conventions for HTTP have them, and lb's
// own.
class Attributes {
 public:
  explicit Attributes(Buffer& out) : out_(out) { append(R"(,"attributes":[)", out_); }

  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    begin(key, "stringValue");
    append_json_text(value.substr(0, kMostText), out_);
    append("\"}}", out_);
  }
  void number(std::string_view key, int64_t value) {
    if (value < 0) return;
    begin(key, "intValue");
    fmt::format_to(std::back_inserter(out_), "{}\"}}}}", value);
  }
  void end() { out_.push_back(']'); }

 private:
  void begin(std::string_view key, std::string_view type) {
    if (!std::exchange(is_first_, false)) out_.push_back(',');
    fmt::format_to(std::back_inserter(out_), R"({{"key":"{}","value":{{"{}":")", key, type);
  }

  Buffer& out_;
  bool is_first_ = true;
};

void append_attributes(const ExchangeRecord& record, std::string_view listener, Buffer& out) {
  AccessRecord access = access_record(record);
  Attributes attributes(out);
  attributes.text("http.request.method", access.method);
  attributes.text("url.scheme", access.tls.empty() ? "http" : "https");
  attributes.text("url.path", access.path);
  if (!access.query.empty()) attributes.text("url.query", access.query.substr(1));
  attributes.text("server.address", access.host);
  attributes.text("client.address", record.client.is_ip() ? record.client.ip_string() : "");
  std::string_view version = access.protocol.substr(access.protocol.find('/') + 1);
  attributes.text("network.protocol.version", version == "2.0" ? "2" : version);
  attributes.text("user_agent.original", access.user_agent);
  if (record.status != 0) attributes.number("http.response.status_code", record.status);
  attributes.number("http.request.body.size", static_cast<int64_t>(record.request_bytes));
  attributes.number("http.response.body.size", static_cast<int64_t>(record.response_bytes));
  attributes.text("lb.listener", listener);
  attributes.text("lb.pool", access.pool);
  attributes.text("lb.server", access.server);
  attributes.text("lb.request_id", access.request_id);
  attributes.number("lb.retries", record.retries);
  attributes.number("lb.queued_us", record.queued_us);
  attributes.number("lb.connected_us", record.connected_us);
  attributes.number("lb.responded_us", record.responded_us);
  attributes.text("lb.termination", access.termination);
  attributes.end();
}

}  // namespace

std::string span_of(const ExchangeRecord& record, std::string_view listener, int64_t now_ns) {
  const TraceContext& trace = *record.trace;
  Buffer out;
  append_id(R"({"traceId":")", {trace.trace[0], trace.trace[1]}, out);
  append_id(R"(,"spanId":")", {trace.span}, out);
  if (trace.parent != 0) append_id(R"(,"parentSpanId":")", {trace.parent}, out);
  std::string_view method = record.request == nullptr ? "HTTP" : record.request->method_name;
  append(R"(,"name":")", out);
  append_json_text(method.substr(0, kMostText), out);
  fmt::format_to(std::back_inserter(out),
                 R"(","kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}")", kServerKind,
                 now_ns - record.total_us * 1'000, now_ns);
  append_attributes(record, listener, out);
  bool is_error = record.status == 0 || record.status >= kFirstServerError;
  if (is_error) fmt::format_to(std::back_inserter(out), R"(,"status":{{"code":{}}})", kErrorStatus);
  out.push_back('}');
  return fmt::to_string(out);
}

}  // namespace lb
