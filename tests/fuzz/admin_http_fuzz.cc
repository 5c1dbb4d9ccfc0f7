// SPDX-License-Identifier: MIT
// A request's head over any bytes: read or refused, and what is read keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "admin/http_message.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lb::admin;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto end = end_of_head(bytes);
  if (end) require(*end <= size && *end >= 2 && bytes[*end - 1] == '\n');
  auto request = parse_request_head(bytes.substr(0, end.value_or(size)));
  if (!request) {
    require(request.error().status >= 400 && request.error().status < 600);
    return 0;
  }
  require(end.has_value());
  require(!request->method.empty() && request->path.starts_with('/'));
  require(request->path.find('\0') == std::string::npos && request->path.size() <= kMaxTargetBytes);
  require(request->fields.size() <= kMaxFields);
  return 0;
}
