// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>

#include "common/result.h"

namespace lb {

// How an example server treats HTTP requests.
struct DemoBehavior {
  double failure_rate = 0;  // share of requests that are answered with 503
  // Each keeps the server's one processor busy for a random time between these.
  std::chrono::microseconds min_latency{1'000};
  std::chrono::microseconds max_latency{5'000};

  friend bool operator==(const DemoBehavior&, const DemoBehavior&) = default;
};

// FAILURE_RATE (0.05 or 5%), MIN_LATENCY and MAX_LATENCY (20ms, 1s, or milliseconds without unit),
// as `variable(name)` gives them; null: not set. The error names the variable.
Result<DemoBehavior> demo_behavior(const std::function<const char*(const char*)>& variable);

}  // namespace lb
