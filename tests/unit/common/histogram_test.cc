// SPDX-License-Identifier: MIT
#include "common/histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace lb {
namespace {

HistogramCounts counts_of(std::initializer_list<uint64_t> times) {
  auto histogram = std::make_unique<Histogram>();
  for (uint64_t us : times) histogram->record(us);
  HistogramCounts counts;
  histogram->add_to(counts);
  return counts;
}

TEST(Histogram, EveryTimeHasABucketThatHoldsIt) {
  for (uint64_t us = 0; us < 300'000'000; us += 1 + us / 50) {
    size_t bucket = HistogramBuckets::of(us);
    ASSERT_LT(bucket, HistogramBuckets::kCount);
    EXPECT_GE(us, HistogramBuckets::begin(bucket));
    if (bucket + 1 < HistogramBuckets::kCount) {
      EXPECT_LT(us, HistogramBuckets::begin(bucket + 1));
    }
  }
  EXPECT_EQ(HistogramBuckets::of(UINT64_MAX), HistogramBuckets::kCount - 1);
}

TEST(Histogram, ABucketIsAtMostAnEighthAsWideAsItsTimesAreLong) {
  for (size_t i = 1; i + 1 < HistogramBuckets::kCount; ++i) {
    uint64_t begin = HistogramBuckets::begin(i);
    EXPECT_LE((HistogramBuckets::begin(i + 1) - begin) * 8, begin) << i;
  }
}

TEST(Histogram, QuantilesAreNearTheTruth) {
  auto histogram = std::make_unique<Histogram>();
  for (uint64_t us = 1; us <= 100'000; ++us) histogram->record(us);
  HistogramCounts counts;
  histogram->add_to(counts);
  EXPECT_EQ(counts.count(), 100'000U);
  EXPECT_EQ(counts.sum_us(), 100'000ULL * 100'001 / 2);
  for (double share : {0.5, 0.9, 0.99}) {
    EXPECT_NEAR(*counts.quantile_us(share) / 100'000, share, share / 16);
  }
}

TEST(Histogram, WithoutTimesThereIsNoQuantile) {
  EXPECT_FALSE(HistogramCounts().quantile_us(0.5));
}

TEST(Histogram, CountsBelowAPowerOfTwoExactly) {
  HistogramCounts counts = counts_of({0, 255, 256, 511, 512, 1'000'000, 500'000'000});
  EXPECT_EQ(counts.below_power(8), 2U);
  EXPECT_EQ(counts.below_power(9), 4U);
  EXPECT_EQ(counts.below_power(10), 5U);
  EXPECT_EQ(counts.below_power(26), 6U);
}

TEST(Histogram, SumsAddUp) {
  HistogramCounts counts = counts_of({100, 200});
  counts.add(counts_of({300}));
  EXPECT_EQ(counts.count(), 3U);
  EXPECT_EQ(counts.sum_us(), 600U);
}

}  // namespace
}  // namespace lb
