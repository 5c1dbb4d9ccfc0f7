// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace lb {

// `count` in each `period`, and at most `burst` at once: a token bucket.
struct Rate {
  uint32_t count = 1;
  std::chrono::milliseconds period{1'000};
  uint32_t burst = 1;

  friend bool operator==(const Rate&, const Rate&) = default;
};

}  // namespace lb
