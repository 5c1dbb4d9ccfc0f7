// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace lb {

// A 64-bit hash of bytes that is the same on every machine and in every version: server tables and
// keys depend on it. wyhash-like mixing; not for secrets.
uint64_t hash64(std::string_view bytes, uint64_t seed = 0);

// The finalizer of splitmix64: every input bit changes every output bit with probability one half.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace lb
