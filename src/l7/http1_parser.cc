// SPDX-License-Identifier: MIT
#include "l7/http1_parser.h"

#include <array>
#include <charconv>
#include <cstring>

namespace lb {

namespace {

enum CharClass : uint8_t {
  kToken = 1,
  kValue = 2,      // in a field's value
  kTarget = 4,     // in path and query
  kAuthority = 8,  // in a host name
  kDigit = 16,
};

constexpr auto kClasses = [] {
  std::array<uint8_t, 256> classes{};
  auto add = [&](std::string_view chars, uint8_t what) {
    for (char c : chars) classes[static_cast<uint8_t>(c)] |= what;
  };
  for (int c = 0; c < 256; ++c) {
    auto& one = classes[static_cast<size_t>(c)];
    bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool digit = c >= '0' && c <= '9';
    if (alpha || digit) one |= kToken | kAuthority;
    if (digit) one |= kDigit;
    if (c == '\t' || (c >= ' ' && c != 0x7f)) one |= kValue;
    // A fragment has no place in a request.
    if (c > ' ' && c < 0x7f && c != '#') one |= kTarget;
  }
  add("!#$%&'*+-.^_`|~", kToken);
  // Of RFC 3986's reg-name all but the comma, which joins two Host fields into one.
  add("-._~%!$&'()*+;=", kAuthority);
  return classes;
}();

bool all(std::string_view text, uint8_t what) {
  uint8_t common = what;
  for (char c : text) common &= kClasses[static_cast<uint8_t>(c)];
  return common == what;
}

bool is(char c, uint8_t what) {
  return (kClasses[static_cast<uint8_t>(c)] & what) != 0;
}

constexpr const char* kBadTarget = "a character in the target that must be encoded";
constexpr size_t kLongestMethod = 32;
// Method, two spaces, version and the line's end.
constexpr size_t kLineWithoutTarget = kLongestMethod + 2 + 8 + 2;

// Takes the line at the start of `rest`, which HeadScanner has found to end in CRLF.
std::string_view take_line(std::string_view& rest) {
  const auto* end = static_cast<const char*>(std::memchr(rest.data(), '\n', rest.size()));
  auto size = static_cast<size_t>(end - rest.data());
  std::string_view line = rest.substr(0, size - 1);
  rest.remove_prefix(size + 1);
  return line;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

const char* parse_field(std::string_view line, Field& field) {
  const auto* colon = static_cast<const char*>(std::memchr(line.data(), ':', line.size()));
  if (colon == nullptr) return "a line of the head without a colon";
  auto size = static_cast<size_t>(colon - line.data());
  field.name = line.substr(0, size);
  // A space before the colon or at the beginning, which would fold the line, is no token either.
  if (!is_token(field.name)) return "a field name that is none";
  field.value = trim(line.substr(size + 1));
  if (!all(field.value, kValue)) return "a control character in a field";
  field.id = field_id(field.name);
  return nullptr;
}

// The items of a comma-separated list without empty ones.
template <typename Visit>
void for_each_item(std::string_view list, Visit visit) {
  while (!list.empty()) {
    size_t comma = list.find(',');
    std::string_view item = trim(list.substr(0, comma));
    if (!item.empty()) visit(item);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// What a head says about its connection and its body, taken out of its fields.
struct Framing {
  std::string_view connection[8];
  size_t connections = 0;
  size_t hosts = 0;
  size_t lengths = 0;
  size_t codings = 0;
  bool is_chunked = false;  // the one coding is chunked
  uint64_t length = 0;
  std::string_view host;
  std::string_view upgrade;
  bool close = false;
  bool keep_alive = false;
  bool upgrades = false;  // Connection names Upgrade
  bool takes_trailers = false;

  // Whether the field stays among the message's own.
  bool keeps(const Field& field, const char*& why);
  // Reads what Connection says and removes the fields that it names.
  const char* read_connection(std::vector<Field>& fields);
};

bool Framing::keeps(const Field& field, const char*& why) {
  switch (field.id) {
    case FieldId::host:
      ++hosts;
      host = field.value;
      return false;
    case FieldId::content_length:
      ++lengths;
      if (!parse_length(field.value, length)) why = "a Content-Length that is no number";
      return false;
    case FieldId::transfer_encoding:
      ++codings;
      is_chunked = equal_nocase(field.value, "chunked");
      return false;
    case FieldId::connection:
      if (connections == std::size(connection)) {
        why = "too many Connection fields";
      } else {
        connection[connections++] = field.value;
      }
      return false;
    case FieldId::upgrade:
      if (!upgrade.empty()) why = "more than one Upgrade";
      upgrade = field.value;
      return false;
    case FieldId::te:
      for_each_item(field.value, [this](std::string_view item) {
        takes_trailers |= equal_nocase(item, "trailers");
      });
      return false;
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::http2_settings:
    case FieldId::trailer:
      return false;
    default:
      return true;
  }
}

const char* Framing::read_connection(std::vector<Field>& fields) {
  constexpr size_t kMostNames = 32;
  size_t names = 0;
  for (size_t i = 0; i < connections; ++i) {
    for_each_item(connection[i], [&](std::string_view item) {
      if (equal_nocase(item, "close")) {
        close = true;
      } else if (equal_nocase(item, "keep-alive")) {
        keep_alive = true;
      } else if (equal_nocase(item, "upgrade")) {
        upgrades = true;
      } else if (++names <= kMostNames) {
        std::erase_if(fields, [&](const Field& field) { return equal_nocase(field.name, item); });
      }
    });
  }
  return names > kMostNames ? "Connection names too many fields" : nullptr;
}

// Reads the lines up to the empty one. Status 0 = fine.
HttpRefusal parse_fields(std::string_view lines, std::vector<Field>& fields, Framing& framing) {
  size_t count = 0;
  while (lines.size() > 2) {
    Field field;
    const char* why = parse_field(take_line(lines), field);
    if (why == nullptr) {
      if (++count > kMaxFields) return {431, "too many fields"};
      if (framing.keeps(field, why)) fields.push_back(field);
    }
    if (why != nullptr) return {400, why};
  }
  if (const char* why = framing.read_connection(fields)) return {400, why};
  return {};
}

bool parse_version(std::string_view text, uint8_t& minor) {
  if (text != "HTTP/1.1" && text != "HTTP/1.0") return false;
  minor = text.back() == '1' ? 1 : 0;
  return true;
}

const char* parse_origin(std::string_view target, RequestHead& head) {
  size_t mark = target.find('?');
  head.path = target.substr(0, mark);
  head.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark);
  if (head.path.find('\\') != std::string_view::npos) return "a backslash in the path";
  return nullptr;
}

const char* parse_target(std::string_view target, RequestHead& head) {
  if (target.starts_with('/')) return parse_path(target, head);
  if (!all(target, kTarget)) return kBadTarget;
  if (target == "*") {
    head.path = target;
    return head.method == Method::options ? nullptr : "a target of * without OPTIONS";
  }
  size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return "a target that is no path";
  std::string_view name = target.substr(0, scheme);
  if (!equal_nocase(name, "http") && !equal_nocase(name, "https")) return "an unknown scheme";
  target.remove_prefix(scheme + 3);
  size_t end = target.find_first_of("/?");
  head.authority = target.substr(0, end);
  if (head.authority.empty() || !is_authority(head.authority)) return "a target without a host";
  target.remove_prefix(end == std::string_view::npos ? target.size() : end);
  if (target.starts_with('/')) return parse_origin(target, head);
  head.path = target.empty() && head.method == Method::options ? "*" : "/";
  head.query = target;
  return nullptr;
}

HttpRefusal parse_request_line(std::string_view line, const HeadLimits& limits, RequestHead& head) {
  size_t first = line.find(' ');
  size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return {400, "no request line"};
  head.method_name = line.substr(0, first);
  if (head.method_name.size() > kLongestMethod || !is_token(head.method_name)) {
    return {400, "a method that is none"};
  }
  head.method = method_of(head.method_name);
  if (!parse_version(line.substr(last + 1), head.minor)) return {400, "not HTTP/1.0 or 1.1"};
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.size() > limits.uri) return {414, "the target is too long"};
  if (head.method == Method::connect) return {400, "CONNECT is not served"};
  if (const char* why = parse_target(target, head)) return {400, why};
  return {};
}

// A protocol that the client may change to through us. HTTP/2 in the clear would hide requests from
// us, TLS would hide everything.
bool is_upgrade_allowed(std::string_view protocols) {
  bool allowed = true;
  for_each_item(protocols, [&](std::string_view item) {
    std::string_view name = item.substr(0, item.find('/'));
    allowed &= is_token(name) && !equal_nocase(name, "h2c") && !equal_nocase(name, "h2") &&
               !equal_nocase(name, "http") && !equal_nocase(name, "tls");
  });
  return allowed;
}

const char* apply_framing(const Framing& framing, RequestHead& head) {
  if (framing.hosts > 1) return "more than one Host";
  if (framing.hosts == 0 && head.minor == 1) return "no Host";
  if (framing.hosts == 1) {
    if (!is_authority(framing.host)) return "a Host that is none";
    // RFC 9112, 3.2.2: that of an absolute target counts.
    if (head.authority.empty()) head.authority = framing.host;
    if (head.authority.empty()) return "an empty Host";
  }
  if (framing.lengths > 1) return "more than one Content-Length";
  if (framing.codings > 0) {
    if (framing.lengths > 0) return "both Content-Length and Transfer-Encoding";
    if (framing.codings > 1 || !framing.is_chunked) return "an unknown transfer coding";
    if (head.minor == 0) return "Transfer-Encoding in HTTP/1.0";
    head.body = BodyKind::streamed;
  } else if (framing.lengths == 1) {
    head.length = framing.length;
    head.body = framing.length > 0 ? BodyKind::length : BodyKind::none;
  }
  head.is_last = framing.close || (head.minor == 0 && !framing.keep_alive);
  head.takes_trailers = framing.takes_trailers;
  if (framing.upgrades && head.minor == 1 && is_upgrade_allowed(framing.upgrade)) {
    head.upgrade = framing.upgrade;
  }
  return nullptr;
}

HttpRefusal read_expectation(RequestHead& head) {
  auto is_expect = [](const Field& field) { return field.id == FieldId::expect; };
  // HTTP/1.0 has none (RFC 9110, 10.1.1), and the server hears 1.1.
  if (head.minor == 0) std::erase_if(head.fields, is_expect);
  for (const Field& field : head.fields) {
    if (!is_expect(field)) continue;
    if (!equal_nocase(field.value, "100-continue")) return {417, "an unknown expectation"};
    head.expects_continue = true;
  }
  return {};
}

bool parse_status_line(std::string_view line, ResponseHead& head, uint8_t& minor) {
  // "HTTP/1.1 200 OK"; many leave the reason out, and some the space before it too.
  if (line.size() < 12 || !parse_version(line.substr(0, 8), minor) || line[8] != ' ') return false;
  std::string_view code = line.substr(9, 3);
  if (!all(code, kDigit) || code.front() == '0' || code.front() > '5') return false;
  head.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (line.size() == 12) return true;
  head.reason = line.substr(13);
  return line[12] == ' ' && is_field_value(head.reason);
}

const char* apply_framing(const Framing& framing, Method method, uint8_t minor,
                          ResponseHead& head) {
  if (framing.lengths > 1) return "more than one Content-Length";
  if (framing.codings > 0) {
    if (framing.lengths > 0) return "both Content-Length and Transfer-Encoding";
    if (framing.codings > 1 || !framing.is_chunked) return "an unknown transfer coding";
    if (minor == 0) return "Transfer-Encoding in HTTP/1.0";
  }
  head.is_last = framing.close || (minor == 0 && !framing.keep_alive);
  bool is_interim = head.status < 200;
  if (head.status == 101 || head.status == 426) head.upgrade = framing.upgrade;
  if (head.status == 101 && (!framing.upgrades || framing.upgrade.empty())) {
    return "a 101 without Upgrade";
  }
  if (framing.lengths == 1 && !is_interim && head.status != 204) head.length = framing.length;
  if (is_interim || head.status == 204 || head.status == 304 || method == Method::head) {
    head.body = BodyKind::none;
  } else if (framing.codings > 0) {
    head.body = BodyKind::streamed;
  } else if (framing.lengths == 1) {
    head.body = framing.length > 0 ? BodyKind::length : BodyKind::none;
  } else {
    head.body = BodyKind::until_close;
    head.is_last = true;
  }
  return nullptr;
}

}  // namespace

const char* parse_path(std::string_view target, RequestHead& head) {
  return all(target, kTarget) ? parse_origin(target, head) : kBadTarget;
}

bool is_token(std::string_view text) {
  return !text.empty() && all(text, kToken);
}

bool is_field_value(std::string_view text) {
  return all(text, kValue);
}

bool is_authority(std::string_view text) {
  if (text.empty()) return true;
  size_t port = text.size();
  if (text.starts_with('[')) {
    size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    constexpr std::string_view kIpv6 = "0123456789abcdefABCDEF:.";
    if (text.substr(1, end - 1).find_first_not_of(kIpv6) != std::string_view::npos) return false;
    port = end + 1;
  } else if (size_t colon = text.find(':'); colon != std::string_view::npos) {
    port = colon;
    if (colon == 0) return false;
  }
  if (text.front() != '[' && !all(text.substr(0, port), kAuthority)) return false;
  if (port == text.size()) return true;
  if (text[port] != ':') return false;
  std::string_view number = text.substr(port + 1);
  uint16_t ignored = 0;
  if (number.empty()) return true;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), ignored);
  return is(number.front(), kDigit) && error == std::errc() && end == number.data() + number.size();
}

Parse HeadScanner::scan(std::string_view bytes) {
  while (seen_ < bytes.size()) {
    const auto* end =
        static_cast<const char*>(std::memchr(bytes.data() + seen_, '\n', bytes.size() - seen_));
    if (end == nullptr) {
      seen_ = bytes.size();
      return Parse::incomplete;
    }
    auto at = static_cast<size_t>(end - bytes.data());
    if (at == line_ || bytes[at - 1] != '\r') return Parse::refused;
    bool empty = at - line_ == 1;
    line_ = seen_ = at + 1;
    if (first_line_ == 0) first_line_ = line_;
    if (empty) return Parse::complete;
  }
  return Parse::incomplete;
}

Parse RequestParser::refuse(int status, const char* why) {
  refusal_ = {status, why};
  return Parse::refused;
}

// What is wrong already need not wait for the rest.
Parse RequestParser::check_incomplete(std::string_view bytes, const HeadLimits& limits,
                                      RequestHead& head) {
  if (size_t line = scanner_.first_line(); line > 0) {
    if (!line_checked_) {
      line_checked_ = true;
      head.clear();
      HttpRefusal refusal = parse_request_line(bytes.substr(0, line - 2), limits, head);
      if (refusal.status != 0) return refuse(refusal.status, refusal.why);
    }
    if (bytes.size() > limits.head) return refuse(431, "the head is too large");
    return Parse::incomplete;
  }
  if (bytes.size() <= limits.uri + kLineWithoutTarget) return Parse::incomplete;
  bool has_method = bytes.substr(0, kLongestMethod + 1).find(' ') != std::string_view::npos;
  return has_method ? refuse(414, "the target is too long") : refuse(400, "no request line");
}

Parse RequestParser::parse(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  // RFC 9112, 2.2: old clients send one empty line too many behind a body.
  if (skipped_ == 0 && bytes.starts_with("\r\n")) skipped_ = 2;
  bytes.remove_prefix(skipped_);
  if (bytes.empty() || (skipped_ == 0 && bytes == "\r")) return Parse::incomplete;
  if (!is(bytes.front(), kToken)) return refuse(400, "no request line");
  Parse found = scanner_.scan(bytes);
  if (found == Parse::refused) return refuse(400, "a line that ends in a bare LF");
  if (found == Parse::incomplete) return check_incomplete(bytes, limits, head);
  std::string_view rest = bytes.substr(0, scanner_.size());
  head.clear();
  HttpRefusal refusal = parse_request_line(take_line(rest), limits, head);
  if (refusal.status != 0) return refuse(refusal.status, refusal.why);
  if (scanner_.size() > limits.head) return refuse(431, "the head is too large");
  Framing framing;
  refusal = parse_fields(rest, head.fields, framing);
  if (refusal.status != 0) return refuse(refusal.status, refusal.why);
  if (const char* why = apply_framing(framing, head)) return refuse(400, why);
  refusal = read_expectation(head);
  if (refusal.status != 0) return refuse(refusal.status, refusal.why);
  return Parse::complete;
}

void read_request_line(std::string_view bytes, RequestHead& head) {
  head.clear();
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
  size_t end = line.find(' ');
  if (end > kLongestMethod || !is_token(line.substr(0, end))) return;
  head.method_name = line.substr(0, end);
  line.remove_prefix(end + 1);
  end = line.find(' ');
  if (end != std::string_view::npos) (void)parse_version(line.substr(end + 1), head.minor);
  parse_origin(line.substr(0, end), head);
}

Parse ResponseParser::parse(std::string_view bytes, Method method, ResponseHead& head) {
  Parse found = scanner_.scan(bytes);
  if (found == Parse::refused) {
    why_ = "a line that ends in a bare LF";
    return found;
  }
  size_t size = found == Parse::complete ? scanner_.size() : bytes.size();
  if (size > kMaxResponseHead) {
    why_ = "the head is too large";
    return Parse::refused;
  }
  if (found == Parse::incomplete) {
    std::string_view start = std::string_view("HTTP/1.").substr(0, bytes.size());
    if (bytes.starts_with(start)) return found;
    why_ = "no status line";
    return Parse::refused;
  }
  std::string_view rest = bytes.substr(0, size);
  head.clear();
  uint8_t minor = 1;
  Framing framing;
  if (!parse_status_line(take_line(rest), head, minor)) {
    why_ = "no status line";
    return Parse::refused;
  }
  HttpRefusal refusal = parse_fields(rest, head.fields, framing);
  const char* why = refusal.status != 0 ? refusal.why : apply_framing(framing, method, minor, head);
  if (why == nullptr) return Parse::complete;
  why_ = why;
  return Parse::refused;
}

const char* parse_trailers(std::string_view lines, Trailers& trailers) {
  HeadScanner scanner;
  if (scanner.scan(lines) != Parse::complete) return "a trailer that ends in a bare LF";
  lines = lines.substr(0, scanner.size());
  size_t count = 0;
  while (lines.size() > 2) {
    Field field;
    if (const char* why = parse_field(take_line(lines), field)) return why;
    if (++count > kMaxFields) return "too many trailers";
    // Nothing that frames, routes or vouches may come after the fact (RFC 9110, 6.5.1): of the
    // fields known here none may.
    if (field.id == FieldId::other) trailers.push_back(field);
  }
  return nullptr;
}

}  // namespace lb
