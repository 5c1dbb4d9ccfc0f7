// SPDX-License-Identifier: MIT
#include "app/demo_work.h"

#include <algorithm>

namespace lb {

int64_t DemoWork::take_us(int64_t now_us) {
  std::uniform_int_distribution<int64_t> times(behavior_.min_latency.count(),
                                               behavior_.max_latency.count());
  int64_t time_us = times(random_);
  free_at_us_ = std::max(free_at_us_, now_us) + time_us;
  taken_us_ += time_us;
  return free_at_us_;
}

bool DemoWork::fails() {
  return std::uniform_real_distribution<double>(0, 1)(random_) < behavior_.failure_rate;
}

int64_t DemoWork::done_us(int64_t now_us) const {
  return taken_us_ - std::max<int64_t>(0, free_at_us_ - now_us);
}

DemoWork::Figures DemoWork::figures(int64_t now_us) {
  if (period_us_ == 0) period_us_ = now_us;
  int64_t done = done_us(now_us);
  if (now_us - period_us_ >= kPeriod_us) {
    auto elapsed = static_cast<double>(now_us - period_us_);
    last_.cpu = std::min(1.0, static_cast<double>(done - done_before_us_) / elapsed);
    last_.network = std::min(1.0, static_cast<double>(bytes_) * 1e6 / elapsed / kLine);
    period_us_ = now_us;
    done_before_us_ = done;
    bytes_ = 0;
  }
  last_.busy_ms = done / 1'000;
  return last_;
}

}  // namespace lb
