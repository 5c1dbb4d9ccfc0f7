// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lb {

struct Digest128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Digest128&, const Digest128&) = default;
};

// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF",
// 2012, and its reference code): who does not know the key can neither guess a digest nor find two
// texts of the same one. A few hundred bytes cost a third of SHA-256.
Digest128 siphash128(const std::array<uint64_t, 2>& key, std::string_view bytes);

}  // namespace lb
