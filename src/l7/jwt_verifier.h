// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/siphash.h"
#include "config/jwt.h"
#include "l7/jwt_keys.h"
#include "l7/jwt_token.h"

namespace lb {

// What is known of a token that was found valid: small, since a million of them may be remembered,
// and with few steps from one to the claim that a request needs.
class VerifiedToken {
 public:
  static constexpr size_t kMaxClaim = 1'024;

  int64_t valid_until_s = 0;  // Unix time, leeway included; INT64_MAX: for ever

  // The claims that the verifier was asked for, in that order: texts and whole numbers of 1 to
  // kMaxClaim bytes. "": absent, as a claim of another kind is.
  void add_claim(std::string_view claim);
  // "" beyond the last, too.
  std::string_view claim(size_t index) const;

 private:
  std::string_view claims() const;

  // Each is two bytes for its size, then itself. As many as fit are kept here, where whoever reads
  // the token has them at hand; if there are more, all are elsewhere.
  uint16_t near_size_ = 0;
  std::array<char, 62> near_{};
  std::shared_ptr<const std::string> far_;
};

// How the tokens fared that were checked, not counting those that were remembered. Any thread.
class JwtTally {
 public:
  void add_valid() { valid_.fetch_add(1, std::memory_order_relaxed); }
  void add(JwtRefusal why) {
    refused_[static_cast<size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t valid() const { return valid_.load(std::memory_order_relaxed); }
  uint64_t refused(JwtRefusal why) const {
    return refused_[static_cast<size_t>(why)].load(std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> valid_{0};
  std::array<std::atomic<uint64_t>, kJwtRefusals> refused_{};
};

// Checks tokens by one verifier of the configuration and the keys that its file held. Immutable;
// any thread. RFC 7519 with the advice of RFC 8725: the algorithm is one of the configuration's,
// and the key fits it by what it is.
class JwtVerifier {
 public:
  // `claims`: the names of those that anybody wants to know. `tally`: that of the verifier whose
  // place it takes.
  JwtVerifier(JwtConfig config, JwtKeys keys, std::vector<std::string> claims,
              std::shared_ptr<JwtTally> tally = std::make_shared<JwtTally>());

  Result<VerifiedToken, JwtRefusal> verify(std::string_view token, int64_t now_s) const;

  const JwtConfig& config() const { return config_; }
  const std::vector<std::string>& claims() const { return claims_; }
  const std::shared_ptr<JwtTally>& tally() const { return tally_; }
  // Where a claim stands in VerifiedToken; absent where nobody asked for it.
  std::optional<size_t> index_of(std::string_view claim) const;
  // By a key that this verifier drew: nobody outside can make a token that passes for another, and
  // what a verifier with other keys or rules found valid passes for nothing here.
  Digest128 digest_of(std::string_view token) const { return siphash128(digest_key_, token); }

 private:
  Result<VerifiedToken, JwtRefusal> check(std::string_view token, int64_t now_s) const;
  Status<JwtRefusal> check_signature(const JwtToken& token) const;
  Status<JwtRefusal> check_claims(const Json& claims, int64_t now_s, int64_t& valid_until_s) const;

  const JwtConfig config_;
  const JwtKeys keys_;
  const std::vector<std::string> claims_;
  const std::array<uint64_t, 2> digest_key_;
  const std::shared_ptr<JwtTally> tally_;
};

}  // namespace lb
