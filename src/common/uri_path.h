// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lb {

// A path as it is compared and forwarded: %XX of unreserved characters decoded, other %XX in upper
// case, dot segments removed (RFC 3986, 6.2.2). %2F, %5C and %00 stay encoded. Nothing for a path
// that climbs above its root, or with a % that encodes nothing.
std::optional<std::string> normalized_path(std::string_view path);

// Whether it is in that form already, as nearly all are.
bool is_normalized(std::string_view path);

}  // namespace lb
