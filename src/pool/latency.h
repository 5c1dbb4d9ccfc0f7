// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace lb {

// A peak-sensitive moving average of response times in one 64-bit atomic (32-bit value in
// microseconds, 32-bit stamp in milliseconds), shared by all workers. A sample above the average
// replaces it at once; below, it decays towards the sample with the time since the last one.
// Any thread, lock-free.
class Latency {
 public:
  void record(uint32_t sample_us, int64_t now_ms);
  // 0 = no sample yet.
  uint32_t average_us(int64_t now_ms) const;

 private:
  std::atomic<uint64_t> state_{0};
};

}  // namespace lb
