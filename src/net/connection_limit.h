// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

namespace lb {

// Open connections against a limit, exact across workers: of the process or of one listener. A
// worker that finds no room says so and is woken when there may be some. Any thread, lock-free.
class ConnectionLimit {
 public:
  static constexpr uint32_t kUnlimited = UINT32_MAX;

  // `wake(worker)` makes that worker try again; called on whichever thread gives back.
  ConnectionLimit(uint32_t limit, size_t workers, std::function<void(size_t worker)> wake);

  // Counts one connection if there is room for it.
  bool take();
  // The same, up to so many beyond the limit: for who had another worker end one of its own.
  bool take_ahead(uint32_t most_beyond);
  void give_back();

  // This worker waits for room. Try take() once more afterwards: what was given back in between
  // woke nobody.
  void wait(size_t worker);

  void set_limit(uint32_t limit);
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  uint32_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  void wake_waiters();

  alignas(64) std::atomic<uint32_t> open_{0};
  std::atomic<uint32_t> waiting_count_{0};
  std::atomic<uint32_t> limit_;
  std::vector<std::atomic<bool>> waiting_;
  const std::function<void(size_t)> wake_;
};

}  // namespace lb
