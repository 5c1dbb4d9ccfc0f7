// SPDX-License-Identifier: MIT
#include "l7/http1_writer.h"

#include <charconv>
#include <cstring>

namespace lb {

namespace {

// What a field adds to its name and value.
constexpr size_t kFieldMarks = 4;
// The longest line that is written beside a message's own, with a number in it.
constexpr size_t kLongestOwnLine = 64;

// Appends to a string whose room was made before.
class Writer {
 public:
  Writer(std::string& out, size_t room) : out_(out) {
    size_t begin = out.size();
    out.resize(begin + room);
    at_ = out.data() + begin;
  }
  ~Writer() { out_.resize(static_cast<size_t>(at_ - out_.data())); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Writer& put(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  Writer& number(uint64_t number) {
    at_ = std::to_chars(at_, at_ + kMostDigits, number).ptr;
    return *this;
  }
  Writer& field(std::string_view name, std::string_view value) {
    return put(name).put(": ").put(value).put("\r\n");
  }
  Writer& fields(const std::vector<Field>& fields) {
    for (const Field& one : fields) field(one.name, one.value);
    return *this;
  }

 private:
  static constexpr size_t kMostDigits = 20;

  std::string& out_;
  char* at_;
};

size_t size_of(const std::vector<Field>& fields) {
  size_t size = 0;
  for (const Field& field : fields) size += field.name.size() + field.value.size() + kFieldMarks;
  return size;
}

// Requests whose content has a meaning say how long it is even where there is none.
bool usually_has_body(Method method) {
  return method == Method::post || method == Method::put || method == Method::patch;
}

}  // namespace

void write_request(const RequestHead& head, bool is_last, std::string& out) {
  Writer writer(out, head.method_name.size() + head.path.size() + head.query.size() +
                         head.authority.size() + head.upgrade.size() + size_of(head.fields) +
                         4 * kLongestOwnLine);
  writer.put(head.method_name).put(" ").put(head.path).put(head.query).put(" HTTP/1.1\r\n");
  writer.field("Host", head.authority).fields(head.fields);
  if (head.body == BodyKind::streamed) {
    writer.put("Transfer-Encoding: chunked\r\n");
  } else if (head.body == BodyKind::length) {
    writer.put("Content-Length: ").number(head.length).put("\r\n");
  } else if (usually_has_body(head.method)) {
    writer.put("Content-Length: 0\r\n");
  }
  if (!head.upgrade.empty()) {
    writer.put("Connection: upgrade\r\n").field("Upgrade", head.upgrade);
  } else if (is_last) {
    writer.put("Connection: close\r\n");
  }
  writer.put("\r\n");
}

void write_response(const ResponseHead& head, Ending ending, bool chunked, std::string& out) {
  std::string_view reason = head.reason.empty() ? reason_of(head.status) : head.reason;
  Writer writer(out,
                reason.size() + head.upgrade.size() + size_of(head.fields) + 4 * kLongestOwnLine);
  writer.put("HTTP/1.1 ").number(static_cast<uint64_t>(head.status)).put(" ").put(reason);
  writer.put("\r\n").fields(head.fields);
  bool is_streamed = head.body == BodyKind::streamed || head.body == BodyKind::until_close;
  if (is_streamed && chunked) {
    writer.put("Transfer-Encoding: chunked\r\n");
  } else if (head.length && !is_streamed && head.status >= 200 && head.status != 204) {
    writer.put("Content-Length: ").number(*head.length).put("\r\n");
  }
  if (!head.upgrade.empty()) writer.put("Connection: upgrade\r\n").field("Upgrade", head.upgrade);
  if (head.status >= 200 && ending != Ending::keep_alive) {
    writer.field("Connection", ending == Ending::close ? "close" : "keep-alive");
  }
  writer.put("\r\n");
}

void write_chunk_start(size_t size, std::string& out) {
  char digits[16];
  auto [end, error] = std::to_chars(digits, digits + sizeof(digits), size, 16);
  out.append(digits, end).append("\r\n");
}

void write_last_chunk(const Trailers& trailers, std::string& out) {
  Writer(out, size_of(trailers) + kLongestOwnLine).put("0\r\n").fields(trailers).put("\r\n");
}

const char* reason_of(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 418:
      return "I'm a teapot";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

}  // namespace lb
