// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "common/clock.h"
#include "net/event_loop.h"

namespace lb {

// Rations the time that a loop spends on TLS handshakes, whose arithmetic takes hundreds of
// microseconds each: a flood of new clients must not stall those that are there. Who gets none
// stays armed and asks again in the next turn. One loop.
class HandshakeRation {
 public:
  static constexpr int64_t kPerTurn_us = 2'000;

  // Runs `step` unless this turn's time is used up; false then.
  template <typename Step>
  bool run(const EventLoop& loop, Step step) {
    if (turn_ != loop.turn()) {
      turn_ = loop.turn();
      used_us_ = 0;
    }
    if (used_us_ >= kPerTurn_us) return false;
    int64_t began_us = monotonic_us();
    step();
    used_us_ += monotonic_us() - began_us;
    return true;
  }

 private:
  uint64_t turn_ = 0;
  int64_t used_us_ = 0;
};

}  // namespace lb
