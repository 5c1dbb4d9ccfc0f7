// SPDX-License-Identifier: MIT
#include "pool/latency.h"

#include <algorithm>
#include <cmath>

namespace lb {

namespace {

constexpr double kLeastFall = 0.25;
constexpr uint32_t kClockSkewMs = 60'000;
// A sample that finds no calm after so many tries is dropped: others have just been recorded.
constexpr int kTries = 8;

uint32_t value_of(uint64_t state) {
  return static_cast<uint32_t>(state >> 32);
}

// What is left of an average after the time since its stamp. The stamp wraps every 49 days; workers
// take the time once per turn of their loops, so that one may see the stamp of another in its
// future.
double fading(uint64_t state, uint32_t now) {
  uint32_t age = now - static_cast<uint32_t>(state);
  if (age == 0 || age > UINT32_MAX - kClockSkewMs) return 1;
  return std::exp(-static_cast<double>(age) / Latency::kDecayMs);
}

uint64_t with_sample(uint64_t state, uint32_t sample, uint32_t now) {
  double value = value_of(state);
  if (value == 0) {
    value = sample;
  } else if (sample > value) {
    value += (sample - value) / 2;
  } else {
    value -= (value - sample) * std::max(kLeastFall, 1 - fading(state, now));
  }
  auto rounded = static_cast<uint32_t>(std::lround(value));
  return uint64_t{std::max(rounded, 1U)} << 32 | now;
}

}  // namespace

void Latency::record(uint32_t sample_us, int64_t now_ms) {
  auto now = static_cast<uint32_t>(now_ms);
  uint64_t state = state_.load(std::memory_order_relaxed);
  for (int i = 0; i < kTries; ++i) {
    uint64_t next = with_sample(state, sample_us, now);
    if (state_.compare_exchange_weak(state, next, std::memory_order_relaxed)) return;
  }
}

uint32_t Latency::average_us(int64_t now_ms) const {
  uint64_t state = state_.load(std::memory_order_relaxed);
  uint32_t value = value_of(state);
  if (value == 0) return 0;
  double left = value * fading(state, static_cast<uint32_t>(now_ms));
  return std::max(static_cast<uint32_t>(left), 1U);
}

}  // namespace lb
