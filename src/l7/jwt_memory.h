// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "common/lru_map.h"
#include "l7/jwt_verifier.h"

namespace lb {

// The tokens that were found valid, by a digest of token and verifier, until they expire: a client
// that comes again costs no check of a signature. One for the process, bounded; the least recently
// used go. Only valid tokens are kept, so that nobody fills it with rubbish. About 250 bytes each.
// Any thread; a short lock per shard, held for memory work alone.
class JwtMemory {
 public:
  static constexpr size_t kMostTokens = 1 << 20;

  using Known = std::shared_ptr<const VerifiedToken>;

  explicit JwtMemory(size_t most_tokens = kMostTokens);
  JwtMemory(const JwtMemory&) = delete;
  JwtMemory& operator=(const JwtMemory&) = delete;

  // The token if it is valid by this verifier now, else null.
  Known check(const JwtVerifier& verifier, std::string_view token, int64_t now_s);

  size_t size() const;

 private:
  // 128 bits of SHA-256.
  struct Digest {
    uint64_t high = 0;
    uint64_t low = 0;
    friend bool operator==(const Digest&, const Digest&) = default;
  };
  struct HashOfDigest {
    size_t operator()(const Digest& digest) const { return static_cast<size_t>(digest.low); }
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    LruMap<Digest, Known, HashOfDigest> tokens{1};
  };
  static constexpr size_t kShards = 64;

  static std::optional<Digest> digest_of(const JwtVerifier& verifier, std::string_view token);

  std::vector<Shard> shards_;
};

}  // namespace lb
