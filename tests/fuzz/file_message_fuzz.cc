// SPDX-License-Identifier: MIT
// What a process in the sandbox sends to have files opened, and what it is answered, of any bytes:
// a message is within its limits and is written as it was read.
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/file_message.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto request = lb::parse_file_request(bytes)) {
    require(request->path.size() < PATH_MAX && !request->path.empty());
    require(size <= lb::kMaxFileMessage && lb::to_bytes(*request) == bytes);
  }
  if (auto answer = lb::parse_file_answer(bytes)) {
    require(size <= lb::kMaxFileMessage && lb::to_bytes(*answer) == bytes);
  }
  return 0;
}
