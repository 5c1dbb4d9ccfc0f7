// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "common/json.h"
#include "common/result.h"
#include "l7/jwt_keys.h"

namespace lb {

// One key of a JWK set (RFC 7517; RFC 7518, 6; RFC 8037). Absent where it is not for checking
// signatures, or of a kind that is not known; an error where it is broken or too weak.
Result<std::optional<JwtKey>> read_jwk(const Json& jwk);

// What every key must be: an RSA key neither too short nor too long, a point that is on its curve.
Status<> check_key(const JwtKey& key);
// Of a key on an elliptic curve: nothing where it is none of ours.
std::optional<JwtKey::Type> type_of_curve(evp_pkey_st* key);

}  // namespace lb
