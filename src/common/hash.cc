// SPDX-License-Identifier: MIT
#include "common/hash.h"

#include "common/load_word.h"

namespace lb {

namespace {

// The product's halves together with the factors: a factor of zero, which bytes from outside can
// bring about, must not wipe out what was hashed before.
uint64_t fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(a) * b;
  return a ^ b ^ static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

uint64_t hash64(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kA = 0xa0761d6478bd642f;
  constexpr uint64_t kB = 0xe7037ed1a0b428db;
  uint64_t hash = seed ^ fold(bytes.size() ^ kA, kB);
  while (bytes.size() > 8) {
    hash = fold(load_word(bytes) ^ kA, hash ^ kB);
    bytes.remove_prefix(8);
  }
  hash = fold(load_word(bytes) ^ kA, hash ^ kB);
  return mix64(hash);
}

}  // namespace lb
