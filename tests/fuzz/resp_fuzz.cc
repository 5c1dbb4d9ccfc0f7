// SPDX-License-Identifier: MIT
// The parser of Redis' replies over any bytes: it agrees with itself at every split.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/resp.h"

namespace {

using State = lb::RespParse::State;

void require(bool holds) {
  if (!holds) std::abort();
}

size_t count(const lb::RespValue& value) {
  size_t all = 1;
  for (const lb::RespValue& item : value.items) all += count(item);
  return all;
}

// Before its end a reply is incomplete; once invalid, no byte makes it valid.
void check_split(std::string_view bytes, size_t size, const lb::RespParse& whole) {
  lb::RespParse part = lb::parse_resp(bytes.substr(0, size));
  if (whole.state == State::complete) {
    require(part.state == (size < whole.length ? State::incomplete : State::complete));
    if (part.state == State::complete) require(part.value == whole.value);
  } else if (whole.state == State::incomplete) {
    require(part.state == State::incomplete);
  } else {
    require(part.state != State::complete);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  lb::RespParse whole = lb::parse_resp(bytes);
  require(whole.length <= size && whole.length <= lb::kMaxRespReply);
  require((whole.state == State::complete) == (whole.length > 0));
  if (whole.state == State::incomplete) require(size < lb::kMaxRespReply);
  if (whole.state == State::complete) require(count(whole.value) <= whole.length);
  for (size_t split = 0; split < std::min<size_t>(size, 256); ++split) {
    check_split(bytes, split, whole);
  }
  if (whole.length > 0) check_split(bytes, whole.length - 1, whole);
  return 0;
}
