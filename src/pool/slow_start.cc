// SPDX-License-Identifier: MIT
#include "pool/slow_start.h"

#include <algorithm>

namespace lb {

// The step under way, from 1 on; kSteps is all of the weight.
int64_t SlowStart::step(std::chrono::milliseconds length, int64_t now_ms) const {
  if (length.count() <= 0) return kSteps;
  int64_t elapsed_ms = std::clamp<int64_t>(now_ms - since_ms_, 0, length.count());
  return std::min(kSteps, 1 + elapsed_ms * kSteps / length.count());
}

uint32_t SlowStart::percent(std::chrono::milliseconds length, int64_t now_ms) const {
  if (!active()) return kFull;
  return static_cast<uint32_t>(step(length, now_ms) * kFull / kSteps);
}

int64_t SlowStart::next_step_ms(std::chrono::milliseconds length, int64_t now_ms) const {
  // Rounded up, so that the step has come when its time has.
  int64_t passed = step(length, now_ms);
  return since_ms_ + (passed * length.count() + kSteps - 1) / kSteps;
}

}  // namespace lb
