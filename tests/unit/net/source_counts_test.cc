// SPDX-License-Identifier: MIT
#include "net/source_counts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace lb {
namespace {

TEST(SourceCounts, ASourceHasAsManyAsItMayAndOthersTheirs) {
  SourceCounts counts;
  for (uint64_t source = 1; source <= 1'000; ++source) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(counts.take(source, 3));
    EXPECT_FALSE(counts.take(source, 3));
    EXPECT_EQ(counts.count(source), 3u);
  }
  counts.give_back(7);
  EXPECT_TRUE(counts.take(7, 3));
  EXPECT_FALSE(counts.take(7, 3));
}

TEST(SourceCounts, WhoGaveBackAllIsForgotten) {
  SourceCounts counts;
  EXPECT_TRUE(counts.take(1, 1));
  counts.give_back(1);
  EXPECT_EQ(counts.count(1), 0u);
  counts.give_back(1);
  EXPECT_EQ(counts.count(1), 0u) << "nothing is owed";
  EXPECT_TRUE(counts.take(1, 1));
}

TEST(SourceCounts, ALimitThatWasLoweredRefusesAtOnce) {
  SourceCounts counts;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(counts.take(1, 5));
  EXPECT_FALSE(counts.take(1, 2));
  for (int i = 0; i < 4; ++i) counts.give_back(1);
  EXPECT_TRUE(counts.take(1, 2));
}

TEST(SourceCounts, AreExactAcrossThreads) {
  SourceCounts counts;
  std::atomic<int> open{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 5'000; ++turn) {
        if (!counts.take(9, 2)) continue;
        int now = ++open;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        --open;
        counts.give_back(9);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, 2);
  EXPECT_EQ(counts.count(9), 0u);
}

}  // namespace
}  // namespace lb
