// SPDX-License-Identifier: MIT
#include "config/jwt.h"

#include <array>

namespace lb {

std::string_view to_string(JwtAlgorithm algorithm) {
  constexpr std::array<std::string_view, 13> kNames = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                                       "RS512", "PS256", "PS384", "PS512", "ES256",
                                                       "ES384", "ES512", "EdDSA"};
  return kNames[static_cast<size_t>(algorithm)];
}

}  // namespace lb
