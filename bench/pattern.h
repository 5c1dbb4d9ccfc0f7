// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace lb::bench {

// The bytes that every stream carries: a fixed pseudo-random sequence whose period is a prime, so
// that a block that is lost, doubled or moved never fits the place where it arrives.
class Pattern {
 public:
  static constexpr size_t kPeriod = 1048573;
  static constexpr size_t kShortestPiece = 64;

  Pattern() : bytes_(kPeriod) {
    uint64_t state = 0x9E3779B97F4A7C15;
    for (char& byte : bytes_) {
      state = state * 6364136223846793005 + 1442695040888963407;
      byte = static_cast<char>(state >> 56);
    }
    for (size_t i = 0; i < kShortestPiece; ++i) bytes_.push_back(bytes_[i]);
  }

  struct Piece {
    const char* data;
    size_t size;
  };
  // The longest contiguous piece that begins at this offset of the stream.
  Piece at(uint64_t offset) const {
    const size_t start = offset % kPeriod;
    return {bytes_.data() + start, bytes_.size() - start};
  }

  bool matches(uint64_t offset, const char* data, size_t size) const {
    while (size > 0) {
      const Piece piece = at(offset);
      const size_t part = std::min(size, piece.size);
      if (std::memcmp(piece.data, data, part) != 0) return false;
      offset += part;
      data += part;
      size -= part;
    }
    return true;
  }

 private:
  std::vector<char> bytes_;
};

}  // namespace lb::bench
