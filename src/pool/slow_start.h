// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace lb {

// The share of one server that has recovered: grows from a twentieth to all of its weight, in
// twenty equal steps. Control thread.
class SlowStart {
 public:
  static constexpr int64_t kSteps = 20;
  static constexpr uint32_t kFull = 100;

  void begin(int64_t now_ms) { since_ms_ = now_ms; }
  void end() { since_ms_ = kNever; }
  bool active() const { return since_ms_ != kNever; }
  // Per cent of its weight; kFull where it is not starting.
  uint32_t percent(std::chrono::milliseconds length, int64_t now_ms) const;
  // When percent() will be another, while it is active.
  int64_t next_step_ms(std::chrono::milliseconds length, int64_t now_ms) const;

 private:
  static constexpr int64_t kNever = INT64_MIN;
  int64_t step(std::chrono::milliseconds length, int64_t now_ms) const;
  int64_t since_ms_ = kNever;
};

}  // namespace lb
