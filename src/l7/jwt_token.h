// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/json.h"
#include "common/result.h"

namespace lb {

// Why a token is not valid: for figures, never for the client.
enum class JwtRefusal : uint8_t {
  too_long,
  not_compact,  // no three parts, or one that is no base64url
  bad_header,   // no JSON object of the right shape
  bad_payload,
  algorithm,  // not one of the verifier's
  critical,   // an extension that must be understood
  no_key,     // none fits, or several do
  signature,
  no_expiry,
  expired,
  not_yet_valid,
  issuer,
  audience,
};

inline constexpr size_t kJwtRefusals = static_cast<size_t>(JwtRefusal::audience) + 1;

const char* to_string(JwtRefusal refusal);

inline constexpr size_t kMaxToken = 8 * 1024;

// A JSON Web Token in compact form (RFC 7519, 7515) taken apart. Nothing of it is to be believed
// before its signature was checked.
struct JwtToken {
  std::string algorithm;
  std::optional<std::string> kid;
  Json claims;  // an object
  std::string_view signed_part;
  std::string signature;
};

// Reads a token strictly: one spelling of each part, no name twice in an object, `crit` and `b64`
// refused since no extension is understood. Views of `text` go into the result. Any thread.
Result<JwtToken, JwtRefusal> parse_jwt(std::string_view text);

}  // namespace lb
