// SPDX-License-Identifier: MIT
#include "app/memory_pressure.h"

#include <algorithm>
#include <utility>

namespace lb {

namespace {

constexpr uint64_t kEnough = uint64_t{64} << 20;  // bytes
constexpr uint64_t kShare = 16;                   // of the limit, where that is less
constexpr double kOver = 2;

double room_of(const MemoryBound& bound) {
  uint64_t least = std::clamp<uint64_t>(bound.limit / kShare, 1, kEnough);
  return static_cast<double>(bound.left) / static_cast<double>(least);
}

}  // namespace

bool MemoryPressure::note(const std::vector<MemoryBound>& bounds) {
  auto tightest = std::min_element(
      bounds.begin(), bounds.end(),
      [](const MemoryBound& a, const MemoryBound& b) { return room_of(a) < room_of(b); });
  tightest_ = tightest == bounds.end() ? MemoryBound{} : *tightest;
  room_ = tightest == bounds.end() ? kOver : room_of(*tightest);
  bool is_short = room_ < (is_on_ ? kOver : 1);
  return std::exchange(is_on_, is_short) != is_short;
}

uint32_t MemoryPressure::share_of(uint32_t open) const {
  return std::max<uint32_t>(static_cast<uint32_t>(std::min(room_, 1.0) * open), 1);
}

}  // namespace lb
