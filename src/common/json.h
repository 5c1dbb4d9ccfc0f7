// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/result.h"

namespace lb {

// JSON as a tree; objects keep the order in which they were filled.
using Json = nlohmann::ordered_json;

inline constexpr size_t kMaxJsonDepth = 32;

// Reads one JSON text from outside: UTF-8, at most `max_depth` levels deep, no name twice in an
// object. How long it may be is the caller's to bound. The error says what is wrong and at which
// byte.
Result<Json> parse_json(std::string_view text, size_t max_depth = kMaxJsonDepth);

// On one line. Bytes that are no UTF-8 become U+FFFD.
std::string to_text(const Json& json);

}  // namespace lb
