// SPDX-License-Identifier: MIT
#include "pool/slow_start.h"

#include <gtest/gtest.h>

#include <vector>

namespace lb {
namespace {

using std::chrono::milliseconds;

TEST(SlowStart, GrowsFromATwentiethToAllInEqualSteps) {
  SlowStart start;
  start.begin(5'000);
  struct Row {
    int64_t now_ms;
    uint32_t percent;
  };
  for (Row row : {Row{5'000, 5}, Row{5'099, 5}, Row{5'100, 10}, Row{6'000, 55}, Row{6'899, 95},
                  Row{6'900, 100}, Row{9'000, 100}, Row{4'000, 5}}) {
    EXPECT_EQ(start.percent(milliseconds(2'000), row.now_ms), row.percent) << row.now_ms;
  }
}

TEST(SlowStart, WithoutABeginOrALengthTheShareIsWhole) {
  SlowStart start;
  EXPECT_FALSE(start.active());
  EXPECT_EQ(start.percent(milliseconds(2'000), 1), SlowStart::kFull);
  start.begin(0);
  EXPECT_TRUE(start.active());
  EXPECT_EQ(start.percent(milliseconds(0), 0), SlowStart::kFull);
  start.end();
  EXPECT_FALSE(start.active());
  EXPECT_EQ(start.percent(milliseconds(2'000), 1), SlowStart::kFull);
}

TEST(SlowStart, EveryStepIsAnnounced) {
  for (int64_t length_ms : {1, 7, 20, 1'000, 30'000, 86'399'999}) {
    milliseconds length(length_ms);
    SlowStart start;
    start.begin(100);
    int64_t now_ms = 100;
    int steps = 0;
    while (start.percent(length, now_ms) < SlowStart::kFull) {
      uint32_t before = start.percent(length, now_ms);
      int64_t next_ms = start.next_step_ms(length, now_ms);
      ASSERT_GT(next_ms, now_ms) << length_ms;
      EXPECT_EQ(start.percent(length, next_ms - 1), before) << length_ms;
      now_ms = next_ms;
      EXPECT_GT(start.percent(length, now_ms), before) << length_ms;
      ASSERT_LE(++steps, SlowStart::kSteps);
    }
    EXPECT_LE(now_ms, 100 + length_ms);
  }
}

}  // namespace
}  // namespace lb
