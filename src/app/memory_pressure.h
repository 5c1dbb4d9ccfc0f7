// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "app/memory_bounds.h"

namespace lb {

// Whether memory is short: less is left of one of its bounds than 64 MiB, about what ten thousand
// new connections take in the second until the next look, or than a sixteenth of that bound where
// that is less. It is over when twice as much is left of all of them. One thread.
class MemoryPressure {
 public:
  // True: it has begun, or is over.
  bool note(const std::vector<MemoryBound>& bounds);

  bool is_on() const { return is_on_; }
  // So little is left now that it would begin.
  bool is_low() const { return room_ < 1; }
  // The bound that is nearest to it.
  const MemoryBound& tightest() const { return tightest_; }
  // Of so many connections that were open when it began, how many may be: the fewer the less is
  // left, but one.
  uint32_t share_of(uint32_t open) const;

 private:
  bool is_on_ = false;
  double room_ = 0;  // what is left of the tightest, 1: where pressure begins
  MemoryBound tightest_;
};

}  // namespace lb
