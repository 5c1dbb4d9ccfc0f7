// SPDX-License-Identifier: MIT
// The reader of PostgreSQL's first message over any bytes: it agrees with itself at every split.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "l4/postgres_start.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto whole = lb::parse_postgres_start(bytes);
  if (size >= lb::kPostgresRequest && whole == lb::PostgresStart::incomplete) std::abort();
  for (size_t split = 0; split < std::min<size_t>(size, 32); ++split) {
    auto part = lb::parse_postgres_start(bytes.substr(0, split));
    if (part != lb::PostgresStart::incomplete && part != whole) std::abort();
  }
  return 0;
}
