// SPDX-License-Identifier: MIT
#include "app/demo_figures.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

TEST(LatencyHistogram, HasNoPercentilesWhileItIsEmpty) {
  EXPECT_EQ(LatencyHistogram().percentile_us(50), 0u);
}

TEST(LatencyHistogram, KeepsEveryLatencyToASixteenth) {
  for (uint32_t latency_us : {0u, 1u, 15u, 16u, 17u, 31u, 32u, 1'000u, 65'535u, 65'536u, 1'999'999u,
                              uint32_t{1} << 31, UINT32_MAX}) {
    LatencyHistogram histogram;
    histogram.record(latency_us);
    uint32_t kept_us = histogram.percentile_us(50);
    EXPECT_GE(kept_us, latency_us);
    EXPECT_LE(kept_us - latency_us, latency_us / 16) << latency_us;
  }
}

TEST(LatencyHistogram, TellsThePercentilesOfAllThatWasAdded) {
  LatencyHistogram fast;
  for (int i = 0; i < 98; ++i) fast.record(10);
  LatencyHistogram all;
  all.record(15);
  all.record(3'000'000'000);
  all.add(fast);
  EXPECT_EQ(all.percentile_us(0), 10u);
  EXPECT_EQ(all.percentile_us(98), 10u);
  EXPECT_EQ(all.percentile_us(99), 15u);
  EXPECT_GE(all.percentile_us(100), 3'000'000'000u);
}

TEST(DemoFigures, AddUpFieldByField) {
  DemoFigures second{.answered = 3, .failed = 2, .cut = 1, .latencies = {}};
  second.latencies.record(7);
  DemoFigures total;
  total.add(second);
  total.add(second);
  EXPECT_EQ(total.answered, 6u);
  EXPECT_EQ(total.failed, 4u);
  EXPECT_EQ(total.cut, 2u);
  EXPECT_EQ(total.latencies.percentile_us(100), 7u);
}

}  // namespace
}  // namespace lb
