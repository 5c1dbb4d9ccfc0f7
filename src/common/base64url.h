// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lb {

// Base64url without padding (RFC 4648, 5; RFC 7515, 2), strictly: nothing where there is another
// character, a length that no bytes have, or a last character with bits that mean nothing. One text
// stands for one sequence of bytes, so that a token has one spelling. Any thread.
std::optional<std::string> decode_base64url(std::string_view text);
std::string encode_base64url(std::string_view bytes);

}  // namespace lb
