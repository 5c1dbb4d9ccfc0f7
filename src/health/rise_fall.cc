// SPDX-License-Identifier: MIT
#include "health/rise_fall.h"

namespace lb {

std::optional<Health> RiseFall::add(bool passed, bool decides) {
  Health result = passed ? Health::healthy : Health::unhealthy;
  if (result == health_) {
    contradicting_ = 0;
    return std::nullopt;
  }
  ++contradicting_;
  uint32_t needed = passed ? rise_ : fall_;
  bool is_known = health_ != Health::unknown;
  if (is_known && !decides && contradicting_ < needed) return std::nullopt;
  contradicting_ = 0;
  health_ = result;
  return health_;
}

}  // namespace lb
