// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "config/jwt.h"

struct evp_pkey_st;

namespace lb {

// One key that checks signatures. Which algorithms it fits follows from what it is, never from a
// token: an RSA key cannot be taken for a shared secret.
struct JwtKey {
  enum class Type : uint8_t { secret, rsa, p256, p384, p521, edwards };

  Type type = Type::secret;
  std::optional<std::string> kid = {};
  std::optional<JwtAlgorithm> only = {};  // a JWK may name its one algorithm
  std::string secret = {};
  std::shared_ptr<evp_pkey_st> key = {};  // of all others
};

bool fits(const JwtKey& key, JwtAlgorithm algorithm);

// Whether `signature` is the key's for these bytes. Any thread; microseconds to a millisecond.
bool verify_signature(JwtAlgorithm algorithm, const JwtKey& key, std::string_view bytes,
                      std::string_view signature);

// The keys of one file. Immutable; any thread.
class JwtKeys {
 public:
  static constexpr size_t kMostKeys = 1'000;
  static constexpr int kLeastRsaBits = 2'048;  // RFC 7518, 3.3
  static constexpr int kMostRsaBits = 8'192;

  // Keys of a JWK set that are not for signatures, or of a kind that is not known, are passed over
  // (RFC 7517, 5); an error where none is left, or one is broken.
  static Result<JwtKeys> parse(JwtKeyFile kind, std::string_view bytes);

  // The one key that a token means: of its kid, else the only one that fits. Null: there is none,
  // or several are.
  const JwtKey* find(JwtAlgorithm algorithm, const std::optional<std::string>& kid) const;
  // What is wrong with a list of algorithms for these keys; "" = nothing.
  std::string misfit(const std::vector<JwtAlgorithm>& algorithms) const;
  // A secret that works but is shorter than it should be (RFC 7518, 3.2); "" = none is.
  std::string weakness(const std::vector<JwtAlgorithm>& algorithms) const;

  size_t size() const { return keys_.size(); }

 private:
  explicit JwtKeys(JwtKeyFile kind) : kind_(kind) {}

  Status<> add_jwks(std::string_view bytes);

  JwtKeyFile kind_;
  std::vector<JwtKey> keys_;
};

}  // namespace lb
