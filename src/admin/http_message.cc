// SPDX-License-Identifier: MIT
#include "admin/http_message.h"

#include <algorithm>
#include <charconv>

#include "common/log.h"

namespace lb::admin {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_token(std::string_view text) {
  auto is_tchar = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_tchar);
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether one of a field's comma-separated words is this one.
bool lists(const std::string* value, std::string_view word) {
  if (value == nullptr) return false;
  std::string_view rest = *value;
  while (true) {
    size_t comma = rest.find(',');
    if (same_word(trimmed(rest.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) return false;
    rest.remove_prefix(comma + 1);
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

using Failure = std::optional<HttpError>;

Failure bad(std::string message, int status = 400) {
  return HttpError{status, std::move(message)};
}

Failure read_query(std::string_view text, HttpRequest& request) {
  while (!text.empty()) {
    size_t end = text.find('&');
    std::string_view part = text.substr(0, end);
    size_t equals = part.find('=');
    auto name = percent_decoded(part.substr(0, equals));
    auto value = percent_decoded(equals == std::string_view::npos ? std::string_view()
                                                                  : part.substr(equals + 1));
    if (!name || !value) return bad("the query is not percent-encoded text");
    if (!part.empty()) request.query.emplace_back(std::move(*name), std::move(*value));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return {};
}

Failure read_request_line(std::string_view line, HttpRequest& request) {
  size_t first = line.find(' ');
  size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("no HTTP request line");
  std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  if (!is_token(method) || !is_visible(target)) return bad("no HTTP request line");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return version.starts_with("HTTP/") ? bad("only HTTP/1.1 is spoken here", 505)
                                        : bad("no HTTP request line");
  }
  if (target.size() > kMaxTargetBytes) {
    return bad(fmt::format("the target is longer than {} bytes", kMaxTargetBytes), 414);
  }
  if (!target.starts_with('/')) return bad("the target must begin with '/'");
  size_t question = target.find('?');
  auto path = percent_decoded(target.substr(0, question));
  if (!path) return bad("the path is not percent-encoded text");
  request.method = method;
  request.path = std::move(*path);
  request.keep_alive = version == "HTTP/1.1";
  if (question == std::string_view::npos) return {};
  return read_query(target.substr(question + 1), request);
}

Failure read_field(std::string_view line, HttpRequest& request) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return bad("a header line is no 'Name: value'");
  }
  std::string_view value = trimmed(line.substr(colon + 1));
  if (!is_field_value(value)) return bad("a header field holds a control character");
  if (request.fields.size() == kMaxFields) {
    return bad(fmt::format("more than {} header fields", kMaxFields), 431);
  }
  request.fields.emplace_back(line.substr(0, colon), value);
  return {};
}

size_t count(const HttpRequest& request, std::string_view name) {
  auto has_name = [&](const HttpField& field) { return same_word(field.first, name); };
  return static_cast<size_t>(std::count_if(request.fields.begin(), request.fields.end(), has_name));
}

Failure read_length(HttpRequest& request) {
  if (count(request, "Transfer-Encoding") > 0) {
    return bad("a body needs a Content-Length here", 411);
  }
  size_t lengths = count(request, "Content-Length");
  if (lengths == 0) return {};
  const std::string& text = *request.field("Content-Length");
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), request.content_length);
  bool is_number = error == std::errc() && end == text.data() + text.size() && lengths == 1;
  if (!is_number) return bad("Content-Length is no number");
  return {};
}

Failure read_meaning(HttpRequest& request) {
  bool is_http_1_1 = request.keep_alive;
  size_t hosts = count(request, "Host");
  if (hosts > 1 || (hosts == 0 && is_http_1_1)) return bad("a request has one Host field");
  const std::string* connection = request.field("Connection");
  request.keep_alive = is_http_1_1 ? !lists(connection, "close") : lists(connection, "keep-alive");
  if (const std::string* expect = request.field("Expect")) {
    if (!same_word(*expect, "100-continue")) return bad("unknown expectation", 417);
    request.expects_continue = is_http_1_1;
  }
  return read_length(request);
}

// Takes the next line off `text`, which holds one. Nothing where it does not end in CRLF.
std::optional<std::string_view> take_line(std::string_view& text) {
  size_t end = text.find('\n');
  if (end == std::string_view::npos || end == 0 || text[end - 1] != '\r') return {};
  std::string_view line = text.substr(0, end - 1);
  text.remove_prefix(end + 1);
  return line;
}

Failure read_head(std::string_view head, HttpRequest& request) {
  auto line = take_line(head);
  if (!line) return bad("lines of a head end with CR LF");
  if (auto failure = read_request_line(*line, request)) return failure;
  while (true) {
    line = take_line(head);
    if (!line) return bad("lines of a head end with CR LF");
    if (line->empty()) break;
    if (auto failure = read_field(*line, request)) return failure;
  }
  return read_meaning(request);
}

}  // namespace

const std::string* find_field(const std::vector<HttpField>& fields, std::string_view name) {
  auto found = std::find_if(fields.begin(), fields.end(),
                            [&](const HttpField& field) { return same_word(field.first, name); });
  return found == fields.end() ? nullptr : &found->second;
}

Result<HttpRequest, HttpError> parse_request_head(std::string_view head) {
  HttpRequest request;
  if (auto failure = read_head(head, request)) return Unexpected{std::move(*failure)};
  return request;
}

std::optional<size_t> end_of_head(std::string_view bytes) {
  for (size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    std::string_view rest = bytes.substr(at + 1);
    if (rest.starts_with('\n')) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return {};
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return {};
    int high = hex_digit(text[i + 1]);
    int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return {};
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::string to_wire(const HttpResponse& response, bool keep_alive, bool head_only) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
  for (const auto& [name, value] : response.fields) out += fmt::format("{}: {}\r\n", name, value);
  out += fmt::format(
      "Content-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n{}\r\n",
      response.content_type, response.body.size(), keep_alive ? "" : "Connection: close\r\n");
  if (!head_only) out += response.body;
  return out;
}

std::string head_of_open(const HttpResponse& response) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
      response.status, reason_of(response.status), response.content_type);
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
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
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

}  // namespace lb::admin
