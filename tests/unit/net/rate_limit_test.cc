// SPDX-License-Identifier: MIT
#include "net/rate_limit.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <thread>
#include <vector>

namespace lb {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kStart_us = 1'000'000'000;

int passed(RateLimit& limit, int tries, int64_t now_us) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limit.take(now_us) ? 1 : 0;
  return count;
}

TEST(RateLimit, LetsABurstThroughAndThenTheRate) {
  struct Row {
    Rate rate;
    int at_once;
    int64_t later_us;
    int later;
  };
  const Row rows[] = {
      {{100, milliseconds(1'000), 100}, 100, 100'000, 10},
      {{100, milliseconds(1'000), 500}, 500, 1'000'000, 100},
      {{600, milliseconds(60'000), 10}, 10, 100'000, 1},
      {{1, milliseconds(60'000), 1}, 1, 59'000'000, 0},
      {{1, milliseconds(60'000), 1}, 1, 60'000'000, 1},
      {{1'000'000'000, milliseconds(1'000), 3}, 3, 1'000'000, 3},
  };
  for (const Row& row : rows) {
    RateLimit limit;
    limit.rate.set(row.rate);
    EXPECT_EQ(passed(limit, row.at_once + 50, kStart_us), row.at_once);
    EXPECT_EQ(passed(limit, row.at_once + 50, kStart_us + row.later_us), row.later);
    EXPECT_EQ(passed(limit, row.at_once + 50, kStart_us + 3'600'000'000), row.at_once);
  }
}

TEST(RateLimit, IsExactAcrossThreads) {
  RateLimit limit;
  limit.rate.set(Rate{1'000, milliseconds(1'000), 5'000});
  std::atomic<int> all{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { all += passed(limit, 3'000, kStart_us); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(all, 5'000);
}

TEST(RateLimit, ALowerRateTakesEffectAtOnce) {
  RateLimit limit;
  limit.rate.set(Rate{1, milliseconds(60'000), 1'000});
  EXPECT_EQ(passed(limit, 2'000, kStart_us), 1'000);
  limit.rate.set(Rate{10, milliseconds(1'000), 10});
  EXPECT_EQ(passed(limit, 100, kStart_us), 0);
  EXPECT_EQ(passed(limit, 100, kStart_us + 1'000'000), 10) << "the old debt is forgiven";
}

TEST(SourceRates, EachSourceHasItsOwn) {
  SourceRates rates;
  rates.set(Rate{10, milliseconds(1'000), 10});
  for (uint64_t source = 1; source <= 100; ++source) {
    int count = 0;
    for (int i = 0; i < 20; ++i) count += rates.take(source, kStart_us) ? 1 : 0;
    EXPECT_EQ(count, 10);
  }
}

TEST(SourceRates, SayHowLongToWait) {
  struct Row {
    Rate rate;
    int64_t wait_ns;
  };
  const Row rows[] = {
      {{10, milliseconds(1'000), 10}, 100'000'000},
      {{1, milliseconds(60'000), 1}, 60'000'000'000},
      {{1, milliseconds(1'000), 5}, 1'000'000'000},
  };
  for (const Row& row : rows) {
    SourceRates rates;
    rates.set(row.rate);
    for (uint32_t i = 0; i < row.rate.burst; ++i) EXPECT_EQ(rates.wait_ns(1, kStart_us), 0);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(rates.wait_ns(1, kStart_us), row.wait_ns);
    int64_t later_us = kStart_us + row.wait_ns / 1'000;
    EXPECT_EQ(rates.wait_ns(1, later_us - 1), 1'000);
    EXPECT_EQ(rates.wait_ns(1, later_us), 0);
  }
}

// A million sources that send once each do not make a heavy one's use forgotten.
TEST(SourceRates, AFloodOfSourcesDoesNotWashOutTheHeavyOnes) {
  SourceRates rates;
  rates.set(Rate{10, milliseconds(1'000), 10});
  constexpr uint64_t kHeavy = 77;
  int heavy = 0;
  for (int i = 0; i < 10; ++i) heavy += rates.take(kHeavy, kStart_us) ? 1 : 0;
  for (uint64_t source = 1'000; source < 1'001'000; ++source) {
    ASSERT_TRUE(rates.take(source, kStart_us));
  }
  for (int i = 0; i < 10; ++i) heavy += rates.take(kHeavy, kStart_us) ? 1 : 0;
  EXPECT_EQ(heavy, 10);
}

TEST(SourceRates, TakeMemoryOnlyWhereARateIsSet) {
  auto in_use = [] {
    auto heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
  };
  size_t before = in_use();
  std::vector<std::unique_ptr<SourceRates>> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back(std::make_unique<SourceRates>());
    EXPECT_TRUE(many.back()->take(1, kStart_us));
  }
  EXPECT_LT(in_use() - before, 1'000'000u);
}

TEST(DatagramLimits, WhatASourcesLimitRefusesDoesNotCountForAll) {
  DatagramLimits limits(1);
  EXPECT_FALSE(limits.any());
  limits.set(Rate{100, milliseconds(1'000), 100}, Rate{10, milliseconds(1'000), 10});
  EXPECT_TRUE(limits.any());
  for (int i = 0; i < 1'000; ++i) limits.take(1, kStart_us);
  int others = 0;
  for (uint64_t source = 2; source < 202; ++source)
    others += limits.take(source, kStart_us) ? 1 : 0;
  EXPECT_EQ(others, 90);
  limits.set({}, {});
  EXPECT_TRUE(limits.take(1, kStart_us));
}

}  // namespace
}  // namespace lb
