// SPDX-License-Identifier: MIT
#include "l7/http2_response.h"

#include <algorithm>

#include "l7/http1_parser.h"
#include "l7/http2_hpack.h"
#include "l7/http2_request.h"

namespace lb {

namespace {

bool is_status(std::string_view text) {
  bool has_digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return text.size() == 3 && has_digits && text.front() >= '1' && text.front() <= '5';
}

}  // namespace

Http2ResponseReader::Http2ResponseReader(KeptRequest& kept, ResponseHead& head)
    : kept_(kept), head_(head) {
  kept_.clear();
  head_.clear();
}

void Http2ResponseReader::add(std::string_view name, std::string_view value) {
  size_ += field_size(name, value);
  if (why_ != nullptr) return;
  if (size_ > kMaxResponseHead || ++count_ > kMaxFields) return malformed("too large a head");
  if (name.starts_with(':')) {
    if (name != ":status" || seen_field_ || head_.status != 0) {
      return malformed("a pseudo-header that is unknown, double or late");
    }
    if (!is_status(value)) return malformed("a status that is none");
    head_.status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    return;
  }
  seen_field_ = true;
  if (const char* why = check_http2_field(name, value)) return malformed(why);
  Field field{kept_.keep(name), kept_.keep(value), field_id(name)};
  if (is_of_connection(field.id)) return malformed("a field that belongs to one connection");
  if (field.id == FieldId::trailer || field.id == FieldId::te) return;
  if (field.id != FieldId::content_length) return head_.fields.push_back(field);
  uint64_t length = 0;
  if (head_.length || !parse_length(value, length)) return malformed("a bad Content-Length");
  head_.length = length;
}

const char* Http2ResponseReader::finish(Method method, bool end_stream) {
  if (why_ != nullptr) return why_;
  if (head_.status == 0) return "no :status";
  if (head_.status == 101) return "101 in HTTP/2";
  bool is_interim = head_.status < 200;
  if (is_interim && end_stream) return "an interim response that is the last";
  bool has_none = method == Method::head || head_.status == 204 || head_.status == 304;
  if (is_interim || head_.status == 204) head_.length.reset();
  if (is_interim || has_none || end_stream) {
    head_.body = BodyKind::none;
    if (is_interim || has_none) return nullptr;
    if (!head_.length) head_.length = 0;  // HTTP/1.1 says so in the head
    return *head_.length > 0 ? "a Content-Length without a body" : nullptr;
  }
  if (head_.length) {
    head_.body = *head_.length > 0 ? BodyKind::length : BodyKind::none;
  } else {
    head_.body = BodyKind::streamed;
  }
  return nullptr;
}

}  // namespace lb
