// SPDX-License-Identifier: MIT
#include "net/connection_limit.h"

#include <utility>

namespace lb {

ConnectionLimit::ConnectionLimit(uint32_t limit, size_t workers,
                                 std::function<void(size_t worker)> wake)
    : limit_(limit), waiting_(workers), wake_(std::move(wake)) {}

bool ConnectionLimit::take() {
  // Without a limit nothing is compared, only counted: a reload may set one.
  if (limit_.load(std::memory_order_relaxed) == kUnlimited) {
    open_.fetch_add(1, std::memory_order_seq_cst);
    return true;
  }
  return take_ahead(0);
}

bool ConnectionLimit::take_ahead(uint32_t most_beyond) {
  uint32_t open = open_.load(std::memory_order_seq_cst);
  while (open < uint64_t{limit_.load(std::memory_order_seq_cst)} + most_beyond) {
    if (open_.compare_exchange_weak(open, open + 1, std::memory_order_seq_cst)) return true;
  }
  return false;
}

// Giving back, raising the limit and waiting are all sequentially consistent: either the waiter's
// second take() sees the room, or who made it sees the waiter.
void ConnectionLimit::give_back() {
  open_.fetch_sub(1, std::memory_order_seq_cst);
  if (waiting_count_.load(std::memory_order_seq_cst) > 0) wake_waiters();
}

void ConnectionLimit::wait(size_t worker) {
  if (!waiting_[worker].exchange(true, std::memory_order_seq_cst)) {
    waiting_count_.fetch_add(1, std::memory_order_seq_cst);
  }
}

void ConnectionLimit::set_limit(uint32_t limit) {
  limit_.store(limit, std::memory_order_seq_cst);
  wake_waiters();
}

void ConnectionLimit::wake_waiters() {
  for (size_t worker = 0; worker < waiting_.size(); ++worker) {
    if (waiting_[worker].exchange(false, std::memory_order_seq_cst)) {
      waiting_count_.fetch_sub(1, std::memory_order_seq_cst);
      wake_(worker);
    }
  }
}

}  // namespace lb
