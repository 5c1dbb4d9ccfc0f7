// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "common/address.h"
#include "config/config.h"
#include "l7/http_message.h"
#include "l7/jwt_verifier.h"
#include "pool/sticky_table.h"

namespace lb {

// What a request is known by in a pool with stickiness; absent where it lacks that. The same on
// every machine.
std::optional<StickyKey> sticky_key(const StickyConfig& sticky, const RequestHead& head,
                                    const Address& source);

// By the application's own cookie.
StickyKey session_key(std::string_view session);

// By the claim of a valid token; absent where the token has none that will do. What it is known by
// ends with the token.
std::optional<StickyKey> sticky_key(const VerifiedToken& token, size_t claim, int64_t now_ms);

// Whether a claim can stand in a header: no control characters, no blank at its ends.
bool can_be_passed_on(std::string_view claim);

}  // namespace lb
