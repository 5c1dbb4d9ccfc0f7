// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

#include "l7/http_message.h"

namespace lb {

// HTTP/1.0 and 1.1 heads (RFC 9112), strictly: whatever two parsers might read differently is
// refused, so that a server never sees another request than we did. Lines end in CRLF; no folded
// lines, no space before a colon, no control characters; one Host; a body has one length or is
// chunked, never both. A request's refusal carries its status, a response's is a 502 to the client.
//
// Pure functions over bytes that come piece by piece; views in a head point into those bytes. No
// allocation but for the head's list of fields, which keeps its memory from message to message.

enum class Parse : uint8_t { incomplete, complete, refused };

struct HeadLimits {
  size_t uri = 8 * 1024;
  size_t head = 32 * 1024;
};

inline constexpr size_t kMaxFields = 256;
inline constexpr size_t kMaxResponseHead = 64 * 1024;

// Finds the end of a head: looks at every byte once, however small the pieces are.
class HeadScanner {
 public:
  // `bytes` begins with the head and grows from call to call. Refused: a line that ends in a bare
  // LF.
  Parse scan(std::string_view bytes);
  void reset() { *this = {}; }
  // Of the head with its empty line, once complete.
  size_t size() const { return line_; }
  // The first line's length with its end, once there; 0 before.
  size_t first_line() const { return first_line_; }

 private:
  size_t line_ = 0;  // where the present line begins
  size_t seen_ = 0;  // bytes looked at
  size_t first_line_ = 0;
};

// Reads one request's head. Reset it for the next.
class RequestParser {
 public:
  // `bytes` is what has come since the end of the message before; the same bytes and more at every
  // call until it is complete or refused. An empty line before the request is passed over.
  Parse parse(std::string_view bytes, const HeadLimits& limits, RequestHead& head);
  // Of the complete head in `bytes`: what follows is the body.
  size_t size() const { return skipped_ + scanner_.size(); }
  const HttpRefusal& refusal() const { return refusal_; }
  void reset() { *this = {}; }

 private:
  Parse refuse(int status, const char* why);
  Parse check_incomplete(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

  HeadScanner scanner_;
  size_t skipped_ = 0;
  bool line_checked_ = false;
  HttpRefusal refusal_;
};

// What a head that is refused, or never was complete, says of its method and target, as it stands
// there and as far as it can be made out: for logs.
void read_request_line(std::string_view bytes, RequestHead& head);

// Reads the head of one response, interim or final. Reset it for the next.
class ResponseParser {
 public:
  // `method` is that of the request that this answers.
  Parse parse(std::string_view bytes, Method method, ResponseHead& head);
  size_t size() const { return scanner_.size(); }
  const char* why() const { return why_; }
  void reset() { *this = {}; }

 private:
  HeadScanner scanner_;
  const char* why_ = "";
};

// Reads lines of fields up to an empty one, as they stand behind a chunked body. Why they are
// refused, or null. What must not stand in trailers is left out.
const char* parse_trailers(std::string_view lines, Trailers& trailers);

// "/path?query" into the head. Why it is refused, or null.
const char* parse_path(std::string_view target, RequestHead& head);

// RFC 9110's token, field-value and Host, which may be empty.
bool is_token(std::string_view text);
bool is_field_value(std::string_view text);
bool is_authority(std::string_view text);

}  // namespace lb
