// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lb {

// How often which latency was seen, to a sixteenth of its value. Plain data.
class LatencyHistogram {
 public:
  void record(uint32_t latency_us);
  void add(const LatencyHistogram& other);
  // The latency that this percentage stayed within; 0 when nothing was seen.
  uint32_t percentile_us(double percent) const;

 private:
  static constexpr size_t kBuckets =
      464;  // 16 each for up to 15 µs and for every power of two above
  std::array<uint64_t, kBuckets> counts_{};
  uint64_t total_ = 0;
};

// What the clients of `lb demo` saw.
struct DemoFigures {
  uint64_t answered = 0;       // short connections whose request was answered
  uint64_t failed = 0;         // requests without an answer, of any connection
  uint64_t cut = 0;            // long-lived connections that ended while they were in use
  LatencyHistogram latencies;  // of short connections, from connect to answer

  void add(const DemoFigures& other) {
    answered += other.answered;
    failed += other.failed;
    cut += other.cut;
    latencies.add(other.latencies);
  }
};

}  // namespace lb
