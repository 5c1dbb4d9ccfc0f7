// SPDX-License-Identifier: MIT
// Request heads of any bytes: every split is read as the whole, and what is sent on means the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/uri_path.h"
#include "l7/http1_parser.h"
#include "l7/http1_writer.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_same(const lb::RequestHead& a, const lb::RequestHead& b) {
  require(a.method_name == b.method_name && a.method == b.method);
  require(a.path == b.path && a.query == b.query && a.authority == b.authority);
  require(a.body == b.body && a.length == b.length && a.upgrade == b.upgrade);
  require(a.fields.size() == b.fields.size());
  for (size_t i = 0; i < a.fields.size(); ++i) {
    require(a.fields[i].name == b.fields[i].name && a.fields[i].value == b.fields[i].value);
  }
}

void check_splits(std::string_view bytes, lb::Parse whole, const lb::HeadLimits& limits) {
  lb::RequestParser parser;
  lb::RequestHead head;
  lb::Parse parsed = lb::Parse::incomplete;
  size_t step = bytes.size() < 512 ? 1 : bytes.size() / 100;
  for (size_t size = 1; size < bytes.size() && parsed == lb::Parse::incomplete; size += step) {
    parsed = parser.parse(bytes.substr(0, size), limits, head);
  }
  if (parsed == lb::Parse::incomplete) parsed = parser.parse(bytes, limits, head);
  require(parsed == whole);
}

// What the log says of a head that is refused is what one that is not says of itself.
void check_line(std::string_view bytes, lb::Parse parsed, const lb::RequestHead& head) {
  lb::RequestHead line;
  lb::read_request_line(bytes, line);
  if (parsed != lb::Parse::complete) return;
  require(line.method_name == head.method_name);
  require(!line.path.starts_with('/') || (line.path == head.path && line.query == head.query));
}

void check_round_trip(lb::RequestHead& head) {
  if (head.authority.empty()) return;  // HTTP/1.0 without Host
  // With what is written beside its own it may have more fields than are read.
  constexpr size_t kMostWritten = 3;
  if (head.fields.size() + kMostWritten > lb::kMaxFields) return;
  std::string wire;
  lb::write_request(head, false, wire);
  lb::RequestParser parser;
  lb::RequestHead again;
  require(parser.parse(wire, {1 << 20, 1 << 21}, again) == lb::Parse::complete);
  require(parser.size() == wire.size());
  check_same(head, again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const lb::HeadLimits limits{256, 1024};
  lb::RequestParser parser;
  lb::RequestHead head;
  lb::Parse whole = parser.parse(bytes, limits, head);
  check_splits(bytes, whole, limits);
  check_line(bytes, whole, head);
  if (whole != lb::Parse::complete) return 0;
  require(parser.size() <= size);
  check_round_trip(head);
  if (auto path = lb::normalized_path(head.path)) {
    require(lb::normalized_path(*path) == path);
    if (lb::is_normalized(head.path)) require(*path == head.path);
  }
  return 0;
}
