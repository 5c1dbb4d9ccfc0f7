// SPDX-License-Identifier: MIT
#include "l7/http2_request.h"

#include <algorithm>

#include "l7/http2_hpack.h"

namespace lb {

namespace {

constexpr size_t kLongestMethod = 32;
constexpr size_t kMaxTrailers = 8 * 1024;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool has_upper(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// What ends a line, or a part of one, in HTTP/1.
bool breaks_line(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
}

}  // namespace

const char* check_http2_field(std::string_view name, std::string_view value) {
  if (!is_token(name)) return "a field name that is none";
  if (has_upper(name)) return "a field name with capital letters";
  if (!is_field_value(value)) return "a control character in a field";
  bool is_padded = !value.empty() && (is_blank(value.front()) || is_blank(value.back()));
  return is_padded ? "a blank around a field's value" : nullptr;
}

bool is_of_connection(FieldId id) {
  switch (id) {
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    default:
      return false;
  }
}

void Http2RequestReader::add(std::string_view name, std::string_view value) {
  size_ += field_size(name, value);
  if (is_malformed()) return;
  if (size_ > limits_.head) return refuse(431, "the head is too large");
  if (name.starts_with(':')) return add_pseudo(name, value);
  seen_field_ = true;
  add_field(name, value);
}

bool Http2RequestReader::set(std::string_view& what, std::string_view value) {
  if (!what.empty()) {
    malformed("a pseudo-header stands there twice");
    return false;
  }
  if (value.empty()) {
    malformed("an empty pseudo-header");
    return false;
  }
  what = kept_.keep(value);
  return true;
}

void Http2RequestReader::add_pseudo(std::string_view name, std::string_view value) {
  RequestHead& head = kept_.head;
  if (seen_field_) return malformed("a pseudo-header behind a field");
  if (breaks_line(value)) return malformed("a blank or a control character in a pseudo-header");
  if (name == ":method") {
    if (!set(head.method_name, value)) return;
    if (value.size() > kLongestMethod || !is_token(value)) malformed("a method that is none");
    head.method = method_of(head.method_name);
  } else if (name == ":scheme") {
    set(scheme_, value);
  } else if (name == ":path") {
    if (value.size() > limits_.uri) return refuse(414, "the target is too long");
    set(target_, value);
  } else if (name == ":protocol") {
    set(protocol_, value);
  } else if (name == ":authority") {
    // An empty one says nothing; some clients send it beside Host.
    if (has_authority_) return malformed("a pseudo-header stands there twice");
    has_authority_ = true;
    head.authority = kept_.keep(value);
  } else {
    malformed("an unknown pseudo-header");
  }
}

void Http2RequestReader::add_field(std::string_view name, std::string_view value) {
  RequestHead& head = kept_.head;
  if (const char* why = check_http2_field(name, value)) return malformed(why);
  Field field{kept_.keep(name), kept_.keep(value), field_id(name)};
  if (is_of_connection(field.id)) return malformed("a field that belongs to one connection");
  switch (field.id) {
    case FieldId::te:
      head.takes_trailers = equal_nocase(value, "trailers");
      if (!head.takes_trailers) malformed("a TE that is not trailers");
      return;
    case FieldId::host:
      if (has_host_) malformed("more than one Host");
      has_host_ = true;
      host_ = field.value;
      return;
    case FieldId::content_length:
      if (has_length_) malformed("more than one Content-Length");
      has_length_ = true;
      if (!parse_length(value, head.length)) malformed("a Content-Length that is no number");
      return;
    case FieldId::cookie:
      // An empty one says nothing, and would leave a separator behind the last.
      if (!value.empty()) cookies_.push_back(field.value);
      return;
    case FieldId::http2_settings:
    case FieldId::trailer:
      return;
    default:
      break;
  }
  if (++count_ > kMaxFields) return refuse(431, "too many fields");
  head.fields.push_back(field);
}

// RFC 9113, 8.2.3.
void Http2RequestReader::join_cookies() {
  if (cookies_.empty()) return;
  std::string_view joined = cookies_.front();
  if (cookies_.size() > 1) {
    size_t size = 0;
    for (std::string_view crumb : cookies_) size += crumb.size() + 2;
    char* begin = kept_.allocate(size);
    char* at = begin;
    for (std::string_view crumb : cookies_) {
      if (at != begin) {
        *at++ = ';';
        *at++ = ' ';
      }
      at = std::copy(crumb.begin(), crumb.end(), at);
    }
    joined = {begin, static_cast<size_t>(at - begin)};
  }
  kept_.head.fields.push_back({"cookie", joined, FieldId::cookie});
}

// RFC 9113, 8.5, and RFC 8441, 4.
void Http2RequestReader::check_connect() {
  RequestHead& head = kept_.head;
  if (protocol_.empty()) {
    if (!scheme_.empty() || !target_.empty()) return malformed("CONNECT with a path or a scheme");
    return refuse(400, "CONNECT is not served");
  }
  if (!equal_nocase(protocol_, "websocket")) return refuse(400, "an unknown :protocol");
  if (has_length_) return malformed("a Content-Length of a CONNECT");
  head.method = Method::get;
  head.method_name = "GET";
  head.upgrade = "websocket";
}

void Http2RequestReader::check_target() {
  RequestHead& head = kept_.head;
  if (head.method_name.empty()) return malformed("no :method");
  bool connects = head.method == Method::connect;
  if (!protocol_.empty() && !connects) return malformed(":protocol without CONNECT");
  if (connects) check_connect();
  if (is_refused()) return;
  if (scheme_.empty()) return malformed("no :scheme");
  if (!equal_nocase(scheme_, "http") && !equal_nocase(scheme_, "https")) {
    return malformed("an unknown scheme");
  }
  if (target_.empty()) return malformed("no :path");
  if (target_ == "*") {
    head.path = target_;
    if (head.method != Method::options) malformed("a target of * without OPTIONS");
    return;
  }
  if (!target_.starts_with('/')) return malformed("a target that is no path");
  if (const char* why = parse_path(target_, head)) refuse(400, why);
}

// RFC 9113, 8.3.1: Host may stand beside :authority, but says the same.
void Http2RequestReader::check_authority() {
  RequestHead& head = kept_.head;
  if (has_host_ && head.authority.empty()) {
    head.authority = host_;
  } else if (has_host_ && !equal_nocase(host_, head.authority)) {
    return malformed("Host is not :authority");
  }
  if (head.authority.empty()) return malformed("no host");
  if (!is_authority(head.authority)) malformed("a host that is none");
}

void Http2RequestReader::check_body(bool end_stream) {
  RequestHead& head = kept_.head;
  if (end_stream) {
    if (head.length > 0) malformed("a Content-Length without a body");
  } else if (!head.upgrade.empty()) {
    head.body = BodyKind::none;  // until the server has agreed
  } else if (has_length_) {
    head.body = head.length > 0 ? BodyKind::length : BodyKind::none;
  } else {
    head.body = BodyKind::streamed;
  }
}

Http2Verdict Http2RequestReader::finish(bool end_stream) {
  RequestHead& head = kept_.head;
  head.major = 2;
  head.minor = 0;
  if (!is_refused()) {  // else it is not all there
    check_target();
    if (head.method != Method::connect) check_authority();
    check_body(end_stream);
    join_cookies();
  }
  if (const Field* expect = head.find(FieldId::expect)) {
    head.expects_continue = equal_nocase(expect->value, "100-continue");
    if (!head.expects_continue) refuse(417, "an unknown expectation");
  }
  if (!is_refused()) return Http2Verdict::good;
  return is_malformed() ? Http2Verdict::malformed : Http2Verdict::refused;
}

void Http2TrailerReader::add(std::string_view name, std::string_view value) {
  if (why_ != nullptr) return;
  why_ = name.starts_with(':') ? "a pseudo-header in trailers" : check_http2_field(name, value);
  if (why_ != nullptr) return;
  size_ += field_size(name, value);
  if (++count_ > kMaxFields || size_ > kMaxTrailers) {
    why_ = "too many trailers";
    return;
  }
  FieldId id = field_id(name);
  if (is_of_connection(id)) {
    why_ = "a field that belongs to one connection";
    return;
  }
  // As behind chunks: of the fields known here none may come after the fact.
  if (id != FieldId::other) return;
  kept_.head.fields.push_back({kept_.keep(name), kept_.keep(value), id});
}

}  // namespace lb
