// SPDX-License-Identifier: MIT
#include "l7/jwt_memory.h"

namespace lb {

JwtMemory::JwtMemory(size_t most_tokens) : shards_(kShards) {
  for (Shard& shard : shards_) shard.tokens.set_capacity(most_tokens / kShards);
}

std::optional<VerifiedToken> JwtMemory::check(const JwtVerifier& verifier, std::string_view token,
                                              int64_t now_s) {
  if (token.size() > kMaxToken) {
    verifier.tally()->add(JwtRefusal::too_long);
    return {};
  }
  const Digest128 digest = verifier.digest_of(token);
  Shard& shard = shards_[digest.high % kShards];
  {
    std::lock_guard lock(shard.mutex);
    if (const VerifiedToken* known = shard.tokens.touch(digest)) {
      if (now_s < known->valid_until_s) return *known;
      shard.tokens.erase(digest);
      verifier.tally()->add(JwtRefusal::expired);
      return {};
    }
  }
  auto verified = verifier.verify(token, now_s);
  if (!verified) return {};
  std::lock_guard lock(shard.mutex);
  shard.tokens.put(digest, *verified);
  return std::move(*verified);
}

size_t JwtMemory::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    size += shard.tokens.size();
  }
  return size;
}

}  // namespace lb
