// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "pool/wait_line.h"

namespace lb {

// The work in progress of each server of one pool: packed 32-bit counters that never move, so that
// a balancer scans a thousand of them in well under a microsecond and every worker sees the same
// figures. Belongs to the registry, one per pool name, and outlives every snapshot.
// acquire_slot() and release_slot(): control thread. Counters and cursor: any thread.
class LoadTable {
 public:
  using Counter = std::atomic<uint32_t>;

  LoadTable() = default;
  LoadTable(const LoadTable&) = delete;
  LoadTable& operator=(const LoadTable&) = delete;

  // A counter at zero, for one server's life. Reuses a released one first.
  Counter& acquire_slot();
  // Gives a counter back; it must stand at zero (checked).
  void release_slot(Counter& counter);

  // The pool's position in its round, shared by all workers and kept over reloads. Each balancer
  // writes it in its own way, and takes it as it finds it.
  std::atomic<uint64_t>& cursor() { return cursor_; }
  // Who waits until one of these counters goes down.
  WaitLine& line() { return line_; }

 private:
  static constexpr size_t kBlock = 1024;
  std::vector<std::unique_ptr<Counter[]>> blocks_;
  size_t used_in_last_ = kBlock;
  std::vector<Counter*> free_;
  alignas(64) std::atomic<uint64_t> cursor_{0};
  WaitLine line_;
};

}  // namespace lb
