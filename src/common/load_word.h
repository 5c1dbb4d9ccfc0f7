// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace lb {

// Up to 8 bytes as a number, little-endian on every machine, so that hashes are the same
// everywhere.
inline uint64_t load_word(std::string_view bytes) {
  uint64_t word = 0;
  if (std::endian::native == std::endian::little && bytes.size() >= 8) {
    std::memcpy(&word, bytes.data(), 8);
    return word;
  }
  for (size_t i = 0; i < bytes.size() && i < 8; ++i) {
    word |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return word;
}

}  // namespace lb
