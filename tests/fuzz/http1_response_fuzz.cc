// SPDX-License-Identifier: MIT
// Response heads of any bytes, for a request whose method the first byte chooses.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "l7/http1_parser.h"
#include "l7/http1_writer.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto method = static_cast<lb::Method>(data[0] % 10);
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  lb::ResponseParser parser;
  lb::ResponseHead head;
  lb::Parse whole = parser.parse(bytes, method, head);

  lb::ResponseParser piecewise;
  lb::ResponseHead ignored;
  lb::Parse parsed = lb::Parse::incomplete;
  size_t step = bytes.size() < 512 ? 1 : bytes.size() / 100;
  for (size_t part = 0; part < bytes.size() && parsed == lb::Parse::incomplete; part += step) {
    parsed = piecewise.parse(bytes.substr(0, part), method, ignored);
  }
  if (parsed == lb::Parse::incomplete) parsed = piecewise.parse(bytes, method, ignored);
  require(parsed == whole);
  if (whole != lb::Parse::complete) return 0;
  // With what is written beside its own it may have more fields than are read.
  constexpr size_t kMostWritten = 3;
  if (head.fields.size() + kMostWritten > lb::kMaxFields) return 0;

  std::string wire;
  lb::write_response(head, lb::Ending::keep_alive, true, wire);
  lb::ResponseParser again;
  require(again.parse(wire, method, ignored) == lb::Parse::complete);
  require(again.size() == wire.size() && ignored.status == head.status);
  require((ignored.body == lb::BodyKind::none) == (head.body == lb::BodyKind::none));
  return 0;
}
