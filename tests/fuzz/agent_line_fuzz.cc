// SPDX-License-Identifier: MIT
// An agent's line of any bytes: what is told of it fits into one line of a log.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "health/agent_line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto line = lb::parse_agent_line({reinterpret_cast<const char*>(data), size});
  for (char c : line ? line->reason : line.error().message) {
    if (c < 0x20 || c > 0x7E) std::abort();
  }
  return 0;
}
