// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lb {

// Named verifiers of JSON Web Tokens, as plain data. Any thread.

enum class JwtAlgorithm : uint8_t {
  hs256,
  hs384,
  hs512,
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512,
  eddsa,
};

// As tokens and the file write it: "RS256".
std::string_view to_string(JwtAlgorithm algorithm);

// What a file of keys holds.
enum class JwtKeyFile : uint8_t {
  jwks,        // a JWK set (RFC 7517)
  public_key,  // one public key or certificate in PEM
  secret,      // the bytes of a shared secret
};

inline constexpr size_t kMaxJwtKeyFile = 1'048'576;

struct JwtConfig {
  std::string name = {};
  std::vector<JwtAlgorithm> algorithms = {};
  JwtKeyFile kind = JwtKeyFile::jwks;
  std::string file = {};      // absolute, or relative to the working directory
  std::string issuer = {};    // empty: not checked
  std::string audience = {};  // empty: not checked
  bool require_exp = true;
  std::chrono::milliseconds leeway{60'000};  // whole seconds

  friend bool operator==(const JwtConfig&, const JwtConfig&) = default;
};

}  // namespace lb
