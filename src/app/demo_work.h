// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "app/demo_behavior.h"

namespace lb {

// What an example server has to do: one processor that serves requests one after another, and a
// line of 100 Mbit/s. It measures how busy both were in the last whole period of kPeriod_us, and
// says so until the next one is over. Plain data but for chance; one thread.
class DemoWork {
 public:
  static constexpr int64_t kPeriod_us = 2'000'000;
  static constexpr double kLine = 12'500'000;  // bytes a second

  DemoWork(const DemoBehavior& behavior, uint64_t seed) : behavior_(behavior), random_(seed) {}

  // A request comes: when it will have been served.
  int64_t take_us(int64_t now_us);
  // Whether it is one that fails.
  bool fails();
  void moved(size_t bytes) { bytes_ += bytes; }

  struct Figures {
    double cpu = 0;  // shares of what it has
    double network = 0;
    int64_t busy_ms = 0;  // in all
  };
  Figures figures(int64_t now_us);

 private:
  int64_t done_us(int64_t now_us) const;

  const DemoBehavior behavior_;
  std::mt19937_64 random_;
  int64_t free_at_us_ = 0;
  int64_t taken_us_ = 0;   // the time of all requests together
  size_t bytes_ = 0;       // in this period
  int64_t period_us_ = 0;  // when it began; 0: there was nothing to measure yet
  int64_t done_before_us_ = 0;
  Figures last_;
};

}  // namespace lb
