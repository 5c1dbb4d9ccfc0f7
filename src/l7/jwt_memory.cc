// SPDX-License-Identifier: MIT
#include "l7/jwt_memory.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>

namespace lb {

JwtMemory::JwtMemory(size_t most_tokens) : shards_(kShards) {
  for (Shard& shard : shards_) shard.tokens.set_capacity(most_tokens / kShards);
}

// The verifier's number goes first: with other keys or rules every token is checked again.
std::optional<JwtMemory::Digest> JwtMemory::digest_of(const JwtVerifier& verifier,
                                                      std::string_view token) {
  thread_local const std::shared_ptr<EVP_MD_CTX> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  static const std::shared_ptr<EVP_MD> sha256(EVP_MD_fetch(nullptr, "SHA256", nullptr),
                                              EVP_MD_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  uint64_t number = verifier.number();
  bool made = context && EVP_DigestInit_ex(context.get(), sha256.get(), nullptr) == 1 &&
              EVP_DigestUpdate(context.get(), &number, sizeof(number)) == 1 &&
              EVP_DigestUpdate(context.get(), token.data(), token.size()) == 1 &&
              EVP_DigestFinal_ex(context.get(), bytes.data(), nullptr) == 1;
  if (!made) {
    ERR_clear_error();
    return {};
  }
  Digest digest;
  std::memcpy(&digest.high, bytes.data(), sizeof(digest.high));
  std::memcpy(&digest.low, bytes.data() + sizeof(digest.high), sizeof(digest.low));
  return digest;
}

JwtMemory::Known JwtMemory::check(const JwtVerifier& verifier, std::string_view token,
                                  int64_t now_s) {
  if (token.size() > kMaxToken) {
    verifier.tally()->add(JwtRefusal::too_long);
    return nullptr;
  }
  auto digest = digest_of(verifier, token);
  if (!digest) return nullptr;
  Shard& shard = shards_[digest->high % kShards];
  {
    std::lock_guard lock(shard.mutex);
    if (Known* known = shard.tokens.use(*digest)) {
      if (now_s < (*known)->valid_until_s) return *known;
      shard.tokens.erase(*digest);
      verifier.tally()->add(JwtRefusal::expired);
      return nullptr;
    }
  }
  auto verified = verifier.verify(token, now_s);
  if (!verified) return nullptr;
  auto known = std::make_shared<const VerifiedToken>(std::move(*verified));
  std::lock_guard lock(shard.mutex);
  shard.tokens.put(*digest, known);
  return known;
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
