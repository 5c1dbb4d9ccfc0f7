// SPDX-License-Identifier: MIT
#include "app/demo_figures.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lb {

namespace {

size_t bucket_of(uint32_t value) {
  if (value < 16) return value;
  auto exponent = static_cast<size_t>(std::bit_width(value)) - 1;  // 4 to 31
  return (exponent - 3) * 16 + ((value >> (exponent - 4)) & 15);
}

// Its largest value.
uint32_t end_of(size_t bucket) {
  if (bucket < 16) return static_cast<uint32_t>(bucket);
  size_t shift = bucket / 16 - 1;
  uint64_t next = (16 + bucket % 16 + 1) << shift;
  return static_cast<uint32_t>(next - 1);
}

}  // namespace

void LatencyHistogram::record(uint32_t latency_us) {
  ++counts_[bucket_of(latency_us)];
  ++total_;
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
}

uint32_t LatencyHistogram::percentile_us(double percent) const {
  if (total_ == 0) return 0;
  auto rank = static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(total_)));
  rank = std::clamp<uint64_t>(rank, 1, total_);
  uint64_t seen = 0;
  size_t bucket = 0;
  while ((seen += counts_[bucket]) < rank) ++bucket;
  return end_of(bucket);
}

}  // namespace lb
