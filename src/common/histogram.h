// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/tally.h"

namespace lb {

// How times are put into buckets: eight to each doubling, so that a bucket is at most an eighth as
// wide as the times in it are long. Up to 16 us and from 134 s on there is one bucket each.
struct HistogramBuckets {
  static constexpr int kFirstBit = 4;  // 16 us
  static constexpr int kLastBit = 27;  // 134 s
  static constexpr int kSteps = 8;     // to each doubling
  static constexpr size_t kCount = 2 + (kLastBit - kFirstBit) * kSteps;

  static size_t of(uint64_t us) {
    if (us < (1U << kFirstBit)) return 0;
    int bit = static_cast<int>(std::bit_width(us)) - 1;
    if (bit >= kLastBit) return kCount - 1;
    auto step = (us >> (bit - 3)) & (kSteps - 1);
    return 1 + static_cast<size_t>(bit - kFirstBit) * kSteps + static_cast<size_t>(step);
  }
  // The least time of a bucket; of the one behind the last, twice the last one's.
  static uint64_t begin(size_t bucket) {
    if (bucket == 0) return 0;
    size_t index = bucket - 1;
    size_t bit = kFirstBit + index / kSteps;
    return (kSteps + index % kSteps) << (bit - 3);
  }
};

// What histograms hold, added up.
class HistogramCounts {
 public:
  void add(const HistogramCounts& other);

  uint64_t count() const;
  uint64_t in_bucket(size_t bucket) const { return buckets_[bucket]; }
  uint64_t sum_us() const { return sum_us_; }
  // The time that this share (0..1) of all does not exceed, evenly spread within its bucket;
  // nothing where there is none.
  std::optional<double> quantile_us(double share) const;
  // How many were below 2^bit microseconds: exact, for that is where a bucket ends.
  uint64_t below_power(int bit) const;

 private:
  friend class Histogram;
  std::array<uint64_t, HistogramBuckets::kCount> buckets_{};
  uint64_t sum_us_ = 0;
};

// Times as one thread measures them; any other may read. 1.5 KiB, no lock, two plain additions.
class Histogram {
 public:
  // The writer's thread.
  void record(uint64_t us) {
    buckets_[HistogramBuckets::of(us)].add();
    sum_us_.add(us);
  }
  // Any thread. What is recorded meanwhile may be in it or not.
  void add_to(HistogramCounts& counts) const;

 private:
  std::array<Tally, HistogramBuckets::kCount> buckets_;
  Tally sum_us_;
};

}  // namespace lb
