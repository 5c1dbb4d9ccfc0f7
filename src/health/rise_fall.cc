// SPDX-License-Identifier: MIT
#include "health/rise_fall.h"

namespace lb {

std::optional<Health> RiseFall::add(bool passed) {
  Health result = passed ? Health::healthy : Health::unhealthy;
  if (result == health_) {
    contradicting_ = 0;
    return std::nullopt;
  }
  ++contradicting_;
  uint32_t needed = passed ? rise_ : fall_;
  if (health_ != Health::unknown && contradicting_ < needed) return std::nullopt;
  contradicting_ = 0;
  health_ = result;
  return health_;
}

}  // namespace lb
