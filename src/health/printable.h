// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lb {

// What a server said, fit for one line of a log: at most `most` bytes, those that are no visible
// ASCII as '.', no space around it.
std::string printable(std::string_view text, size_t most = 60);

}  // namespace lb
