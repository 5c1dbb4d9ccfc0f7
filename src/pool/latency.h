// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace lb {

// A peak-sensitive moving average of response times, after the peak EWMA of Finagle, in one 64-bit
// atomic (32-bit value in microseconds, 32-bit stamp in milliseconds), shared by all workers.
// A sample above the average raises it half the way at once. A sample below lowers it a quarter of
// the way, or more when the last one was long ago: with 1 - exp(-time / kDecayMs). While no sample
// comes the average fades to nothing at the same pace, so that a server once slow is tried again.
// (Finagle's average jumps to every peak and falls by time alone: one spike of 10 ms then halves a
// server's share for seconds. Half and a quarter forget it within a few answers, and rise to a
// lasting slowness just as soon.)
// Any thread, lock-free.
class Latency {
 public:
  void record(uint32_t sample_us, int64_t now_ms);
  // 0 = no sample yet; at least 1 else.
  uint32_t average_us(int64_t now_ms) const;

  static constexpr int kDecayMs = 5'000;

 private:
  std::atomic<uint64_t> state_{0};
};

}  // namespace lb
