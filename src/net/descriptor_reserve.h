// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <climits>

#include "common/fd.h"

namespace lb {

// The process's last descriptor numbers, which workers leave to the other threads: an admin
// request, a health check or a log finds one even when clients have taken all the rest. The kernel
// gives the lowest number that is free (open(2)), so a worker that is given one of the reserve
// knows, without asking, that nothing else was left. Any thread, lock-free.
class DescriptorReserve {
 public:
  // This number and all above it.
  void begin_at(int first) { first_.store(first, std::memory_order_relaxed); }
  bool has(int fd) const { return fd >= first_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int> first_{INT_MAX};
};

// While it lives, its thread leaves the reserve alone. At most one of a thread.
class LeavesReserve {
 public:
  explicit LeavesReserve(const DescriptorReserve& reserve);
  ~LeavesReserve();
  LeavesReserve(const LeavesReserve&) = delete;
  LeavesReserve& operator=(const LeavesReserve&) = delete;
};

// Whether this thread is to leave that descriptor alone.
bool is_reserved(int fd);
// `opened`; of the reserve it is closed instead, and errno is EMFILE, as if there had been none.
// What could not be opened stays that, with its errno.
Fd unless_reserved(Fd opened);

}  // namespace lb
