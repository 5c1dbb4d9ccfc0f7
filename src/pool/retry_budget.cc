// SPDX-License-Identifier: MIT
#include "pool/retry_budget.h"

namespace lb {

namespace {

constexpr uint64_t kCountMask = UINT32_MAX;

uint32_t second_of(int64_t now_ms) {
  return static_cast<uint32_t>(now_ms / 1'000);
}

uint32_t count_of(uint64_t bucket, uint32_t second) {
  return static_cast<uint32_t>(bucket >> 32) == second ? static_cast<uint32_t>(bucket & kCountMask)
                                                       : 0;
}

uint64_t bucket_of(uint32_t second, uint32_t count) {
  return uint64_t{second} << 32 | count;
}

}  // namespace

std::atomic<uint64_t>& RetryBudget::Ring::at(uint32_t second) {
  return seconds[second % seconds.size()];
}

uint64_t RetryBudget::Ring::window(uint32_t now) const {
  uint64_t sum = 0;
  for (const auto& cell : seconds) {
    uint64_t bucket = cell.load(std::memory_order_relaxed);
    // Unsigned: a bucket of another worker that is a second ahead counts as too old, which is
    // harmless for one look.
    uint32_t age = now - static_cast<uint32_t>(bucket >> 32);
    if (age < kWindowS) sum += bucket & kCountMask;
  }
  return sum;
}

void RetryBudget::count_work(size_t worker, int64_t now_ms) {
  uint32_t second = second_of(now_ms);
  auto& cell = work_[worker].at(second);
  // One writer, so a load and a store do, without the price of a locked addition.
  uint32_t count = count_of(cell.load(std::memory_order_relaxed), second);
  if (count < UINT32_MAX) ++count;
  cell.store(bucket_of(second, count), std::memory_order_relaxed);
}

bool RetryBudget::take(uint32_t percent, int64_t now_ms) {
  uint32_t second = second_of(now_ms);
  auto& cell = retries_.at(second);
  uint64_t bucket = cell.load(std::memory_order_relaxed);
  while (true) {
    uint32_t in_this_second = count_of(bucket, second);
    if (in_this_second >= kFloorPerSecond) {
      uint64_t work = 0;
      for (const Ring& ring : work_) work += ring.window(second);
      if (retries_.window(second) >= work * percent / 100) return false;
    }
    // Every retry of this second passes through this cell: when the swap succeeds, nobody else took
    // one on the same figures.
    if (cell.compare_exchange_weak(bucket, bucket_of(second, in_this_second + 1),
                                   std::memory_order_relaxed)) {
      return true;
    }
  }
}

}  // namespace lb
