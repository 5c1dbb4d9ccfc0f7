// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "pool/pool.h"

namespace lb {

// Turns the results of checks into health: `rise` passes in a row until healthy, `fall` failures in
// a row until unhealthy; the first result of all decides at once. Pure; docs/operations.md has the
// table.
class RiseFall {
 public:
  RiseFall(uint32_t rise, uint32_t fall, Health health = Health::unknown)
      : rise_(rise), fall_(fall), health_(health) {}

  // The new health if this result changed it. One that `decides` needs no others in a row.
  std::optional<Health> add(bool passed, bool decides = false);
  void set_thresholds(uint32_t rise, uint32_t fall) {
    rise_ = rise;
    fall_ = fall;
  }

  Health health() const { return health_; }
  // The next check should come soon: the server is down, or its last result contradicted its state.
  bool is_doubtful() const { return health_ == Health::unhealthy || contradicting_ > 0; }

 private:
  uint32_t rise_;
  uint32_t fall_;
  uint32_t contradicting_ = 0;  // results in a row against the present health
  Health health_;
};

}  // namespace lb
