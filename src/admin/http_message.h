// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace lb::admin {

using HttpField = std::pair<std::string, std::string>;

// The value of a field, by name in whatever case; null when there is none.
const std::string* find_field(const std::vector<HttpField>& fields, std::string_view name);

// One request as the admin listener understands it.
struct HttpRequest {
  std::string method;
  std::string path;               // percent-decoded, begins with '/'
  std::vector<HttpField> query;   // decoded, in order
  std::vector<HttpField> fields;  // in order; Host stands once
  size_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
  std::string body;

  const std::string* field(std::string_view name) const { return find_field(fields, name); }
};

struct HttpResponse {
  int status = 200;
  std::vector<HttpField> fields = {};
  std::string content_type = "application/json";
  std::string body = {};
};

// Why a request is not understood: the status to answer with and words for its sender.
struct HttpError {
  int status;
  std::string message;
};

inline constexpr size_t kMaxHeadBytes = 16'384;
inline constexpr size_t kMaxTargetBytes = 4'096;
inline constexpr size_t kMaxFields = 64;

// Reads a request's head: from its first byte to the empty line that ends it. Strict where
// RFC 9112 leaves a choice: CRLF alone ends a line, no folded fields, one Host, one Content-Length,
// no Transfer-Encoding (411).
Result<HttpRequest, HttpError> parse_request_head(std::string_view head);

// Where the first head in `bytes` ends, behind its empty line. A line that ends without CR counts
// too, so that the parser can refuse it instead of waiting for ever.
std::optional<size_t> end_of_head(std::string_view bytes);

// %XX decoded; nothing where a '%' is not followed by two hexadecimal digits or a NUL comes out.
std::optional<std::string> percent_decoded(std::string_view text);

// As it goes over the wire; a head only for `head_only`.
std::string to_wire(const HttpResponse& response, bool keep_alive, bool head_only);

// The head of an answer without an end, whose bytes follow until the connection closes.
std::string head_of_open(const HttpResponse& response);

std::string_view reason_of(int status);

}  // namespace lb::admin
