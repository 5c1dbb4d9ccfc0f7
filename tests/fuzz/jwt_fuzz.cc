// SPDX-License-Identifier: MIT
// Tokens and key files over any bytes: what is read is well-formed, and nothing unsigned is valid.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "l7/jwt_verifier.h"

namespace {

const lb::JwtVerifier& verifier() {
  static const lb::JwtVerifier verifier(
      {.name = "fuzz", .algorithms = {lb::JwtAlgorithm::hs256}},
      *lb::JwtKeys::parse(lb::JwtKeyFile::secret, "0123456789abcdef0123456789abcdef"), {"sub"});
  return verifier;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto token = lb::parse_jwt(bytes);
  if (token && (!token->claims.is_object() || token->algorithm.size() > bytes.size())) std::abort();
  // No kept input is signed with this key.
  if (verifier().verify(bytes, 1'700'000'000)) std::abort();
  auto keys = lb::JwtKeys::parse(lb::JwtKeyFile::jwks, bytes);
  if (keys && keys->size() == 0) std::abort();
  (void)lb::JwtKeys::parse(lb::JwtKeyFile::public_key, bytes);
  return 0;
}
