// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

namespace lb {

// What a server says of its load: shares of what it has, 1 = all of it; absent where it says
// nothing.
struct LoadReport {
  std::optional<double> cpu = {};
  std::optional<double> memory = {};
  std::optional<double> network = {};

  friend bool operator==(const LoadReport&, const LoadReport&) = default;
};

}  // namespace lb
