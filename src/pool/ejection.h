// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace lb {

// The ejections of one server: number n lasts n times as long as the first, at most kLongest times;
// for each such time that the server has served again since, the next one is shorter by one step.
// Control thread.
class Ejection {
 public:
  static constexpr uint32_t kLongest = 10;

  // The next one begins; how long it lasts.
  std::chrono::milliseconds begin(std::chrono::milliseconds eject_for, int64_t now_ms);
  uint32_t number() const { return number_; }
  int64_t until_ms() const { return until_ms_; }

 private:
  uint32_t number_ = 0;
  int64_t until_ms_ = 0;
};

}  // namespace lb
