// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

namespace lb::config {

// The candidate that `word` is most likely meant to be, or "": a few slips of the keyboard away, or
// the word of another load balancer for the same thing.
std::string_view closest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace lb::config
