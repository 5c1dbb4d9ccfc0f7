// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "common/lru_map.h"
#include "common/siphash.h"
#include "l7/jwt_verifier.h"

namespace lb {

// The tokens that were found valid, by their verifier's digest, until they expire: a client that
// comes again costs no check of a signature. One for the process, bounded; those that were not used
// for long go. Only valid tokens are kept, so that nobody fills it with rubbish. About 150 bytes
// each. Any thread; a short lock per shard, held for memory work alone.
class JwtMemory {
 public:
  static constexpr size_t kMostTokens = 1 << 20;

  explicit JwtMemory(size_t most_tokens = kMostTokens);
  JwtMemory(const JwtMemory&) = delete;
  JwtMemory& operator=(const JwtMemory&) = delete;

  // The token if it is valid by this verifier now.
  std::optional<VerifiedToken> check(const JwtVerifier& verifier, std::string_view token,
                                     int64_t now_s);

  size_t size() const;

 private:
  struct HashOfDigest {
    size_t operator()(const Digest128& digest) const { return static_cast<size_t>(digest.low); }
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    LruMap<Digest128, VerifiedToken, HashOfDigest> tokens{1};
  };
  static constexpr size_t kShards = 64;

  std::vector<Shard> shards_;
};

}  // namespace lb
