// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/scalar.h"

namespace lb::config {

// The algorithms by the words of the file; the first word of a value is its name, others aliases.
const std::vector<Word<Balance>>& balance_words();
std::string_view balance_name(Balance balance);

}  // namespace lb::config
