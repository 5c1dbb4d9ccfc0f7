// SPDX-License-Identifier: MIT
// The ClientHello parser over any bytes: it agrees with itself at every split, and a name that it
// finds is one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/client_hello.h"

namespace {

using State = lb::ClientHello::State;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_split(std::string_view bytes, size_t size, State whole) {
  State part = lb::parse_client_hello(bytes.substr(0, size)).state;
  require(part == State::incomplete || part == whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  lb::ClientHello whole = lb::parse_client_hello(bytes);
  if (whole.state == State::incomplete) require(size < lb::kMaxClientHello);
  if (whole.state != State::complete) require(whole.server_name.empty());
  require(whole.server_name.size() <= 255);
  for (char c : whole.server_name) require(c > ' ' && c <= '~' && !(c >= 'A' && c <= 'Z'));
  for (size_t split = 0; split < size && split < 12; ++split) {
    check_split(bytes, split, whole.state);
  }
  if (size < 2) return 0;
  // Further ones where the input itself says.
  size_t somewhere = (size_t{data[0]} << 8 | data[size - 1]) * 31 % size;
  check_split(bytes, somewhere, whole.state);
  check_split(bytes, size - 1, whole.state);
  return 0;
}
