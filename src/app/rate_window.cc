// SPDX-License-Identifier: MIT
#include "app/rate_window.h"

#include <algorithm>

namespace lb {

void RateWindow::note(const Sample& sample) {
  if (samples_.size() == kSamples) samples_.pop_front();
  samples_.push_back(sample);
}

RateWindow::Rate RateWindow::rate(const Sample& now) const {
  // Before the first note it all began just now.
  Sample before = samples_.empty() ? Sample{.at_ms = now.at_ms} : samples_.front();
  // Less than a second says little about a second.
  auto seconds = static_cast<double>(std::max<int64_t>(1'000, now.at_ms - before.at_ms)) / 1'000;
  Rate rate;
  rate.per_second = static_cast<double>(now.requests - before.requests) / seconds;
  if (now.answers == before.answers) before = {};
  if (uint64_t answers = now.answers - before.answers; answers > 0) {
    rate.response_ms = static_cast<double>(now.answers_us - before.answers_us) /
                       static_cast<double>(answers) / 1e3;
  }
  return rate;
}

}  // namespace lb
