// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lb {

// Which worker has the session that is to go first where a listener's table is full: each worker
// says what its own first one is. Any thread, lock-free; what a worker reads of others may be a
// moment old.
class SessionAges {
 public:
  static constexpr uint64_t kNone = UINT64_MAX;

  explicit SessionAges(size_t workers) : first_(workers) {}

  // The lower, the sooner it goes; kNone: it has no session.
  void set(size_t worker, uint64_t rank) {
    first_[worker].rank.store(rank, std::memory_order_relaxed);
  }
  // `self` unless another one's goes before its own.
  size_t oldest(size_t self) const {
    size_t oldest = self;
    for (size_t worker = 0; worker < first_.size(); ++worker) {
      if (rank(worker) < rank(oldest)) oldest = worker;
    }
    return oldest;
  }

 private:
  struct alignas(64) First {
    std::atomic<uint64_t> rank{kNone};
  };

  uint64_t rank(size_t worker) const { return first_[worker].rank.load(std::memory_order_relaxed); }

  std::vector<First> first_;
};

}  // namespace lb
