// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace lb {

// How many tries after the first a pool may make: a share of its new work of the last ten seconds,
// and always at least ten a second. Work is counted in per-worker cells, so that the usual path
// writes only its own cache line; retries, which are rare, add the cells up. One per pool name,
// kept over reloads; any thread, lock-free.
class RetryBudget {
 public:
  static constexpr int kWindowS = 10;
  static constexpr uint32_t kFloorPerSecond = 10;

  explicit RetryBudget(size_t workers) : work_(workers) {}

  // Called by that worker only.
  void count_work(size_t worker, int64_t now_ms);
  // Takes one retry if fewer than kFloorPerSecond were taken in this second, or fewer than
  // `percent` of the work of the window in the window. Exact across workers.
  bool take(uint32_t percent, int64_t now_ms);

 private:
  // One bucket a second; a bucket of an earlier second counts as empty. Second in the upper half,
  // count in the lower.
  struct alignas(64) Ring {
    std::array<std::atomic<uint64_t>, kWindowS + 1> seconds{};
    std::atomic<uint64_t>& at(uint32_t second);
    uint64_t window(uint32_t now) const;  // of the last kWindowS seconds, this one included
  };
  std::vector<Ring> work_;
  Ring retries_;
};

}  // namespace lb
