// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <ctime>

namespace lb {

// CLOCK_MONOTONIC in microseconds. One vDSO call; on hot paths take EventLoop::now_us() instead.
inline int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

inline int64_t monotonic_ms() {
  return monotonic_us() / 1'000;
}

// Wall-clock time in milliseconds since 1970: for people, never for durations.
inline int64_t unix_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

// The same as of the last tick of the kernel, a few ms ago: costs a tenth. For what ends at some
// second.
inline int64_t coarse_unix_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

}  // namespace lb
