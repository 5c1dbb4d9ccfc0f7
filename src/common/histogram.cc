// SPDX-License-Identifier: MIT
#include "common/histogram.h"

#include <numeric>

namespace lb {

void HistogramCounts::add(const HistogramCounts& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  sum_us_ += other.sum_us_;
}

uint64_t HistogramCounts::count() const {
  return std::accumulate(buckets_.begin(), buckets_.end(), uint64_t{0});
}

std::optional<double> HistogramCounts::quantile_us(double share) const {
  uint64_t all = count();
  if (all == 0) return {};
  double wanted = share * static_cast<double>(all);
  double before = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    auto here = static_cast<double>(buckets_[i]);
    if (here > 0 && before + here >= wanted) {
      auto begin = static_cast<double>(HistogramBuckets::begin(i));
      auto end = static_cast<double>(HistogramBuckets::begin(i + 1));
      return begin + (end - begin) * (wanted - before) / here;
    }
    before += here;
  }
  return static_cast<double>(HistogramBuckets::begin(buckets_.size()));
}

uint64_t HistogramCounts::below_power(int bit) const {
  size_t end = HistogramBuckets::of(uint64_t{1} << bit);
  return std::accumulate(buckets_.begin(), buckets_.begin() + static_cast<ptrdiff_t>(end),
                         uint64_t{0});
}

void Histogram::add_to(HistogramCounts& counts) const {
  for (size_t i = 0; i < buckets_.size(); ++i) counts.buckets_[i] += buckets_[i].read();
  counts.sum_us_ += sum_us_.read();
}

}  // namespace lb
