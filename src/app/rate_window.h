// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace lb {

// How much is done a second: figures of the last ten seconds, noted once a second. Control thread.
class RateWindow {
 public:
  // All there was until then.
  struct Sample {
    int64_t at_ms = 0;
    uint64_t requests = 0;
    uint64_t answers = 0;     // whose time was taken
    uint64_t answers_us = 0;  // the sum of these times
  };
  struct Rate {
    double per_second = 0;
    std::optional<double> response_ms;  // of ever, where there was none lately
  };

  void note(const Sample& sample);
  Rate rate(const Sample& now) const;

 private:
  static constexpr size_t kSamples = 10;
  std::deque<Sample> samples_;  // the oldest first
};

}  // namespace lb
