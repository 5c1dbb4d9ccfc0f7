// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace lb {

// A figure that one thread counts up and any other reads: a plain addition, for there is no second
// writer that it could get in the way of.
class Tally {
 public:
  // The writer's thread.
  void add(uint64_t more = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  // Any thread.
  uint64_t read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace lb
