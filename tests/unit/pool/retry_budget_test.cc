// SPDX-License-Identifier: MIT
#include "pool/retry_budget.h"

#include <gtest/gtest.h>

#include "servers.h"

namespace lb {
namespace {

uint32_t take_all(RetryBudget& budget, uint32_t percent, int64_t now_ms) {
  uint32_t taken = 0;
  while (taken < 100'000 && budget.take(percent, now_ms)) ++taken;
  return taken;
}

void count_work(RetryBudget& budget, size_t worker, int amount, int64_t now_ms) {
  for (int i = 0; i < amount; ++i) budget.count_work(worker, now_ms);
}

TEST(RetryBudget, HoldsTenASecondWithoutAnyWork) {
  RetryBudget budget(2);
  for (int64_t second : {100, 101, 102}) {
    EXPECT_EQ(take_all(budget, 20, second * 1'000), 10U) << second;
    EXPECT_EQ(take_all(budget, 20, second * 1'000 + 999), 0U) << second;
  }
}

TEST(RetryBudget, HoldsAShareOfTheWorkOfAllWorkers) {
  RetryBudget budget(3);
  count_work(budget, 0, 1'000, 100'000);
  count_work(budget, 1, 500, 101'000);
  count_work(budget, 2, 500, 102'000);
  EXPECT_EQ(take_all(budget, 20, 102'500), 400U);
}

TEST(RetryBudget, AShareOfNothingIsTheFloor) {
  RetryBudget budget(1);
  count_work(budget, 0, 10'000, 100'000);
  EXPECT_EQ(take_all(budget, 0, 100'000), 10U);
}

TEST(RetryBudget, WorkOlderThanTenSecondsNoLongerCounts) {
  RetryBudget budget(1);
  count_work(budget, 0, 1'000, 100'000);
  EXPECT_EQ(take_all(budget, 50, 109'999), 500U);
  RetryBudget late(1);
  count_work(late, 0, 1'000, 100'000);
  EXPECT_EQ(take_all(late, 50, 110'000), 10U);
}

TEST(RetryBudget, RetriesGiveTheirPlaceBackAfterTenSeconds) {
  RetryBudget budget(1);
  count_work(budget, 0, 1'000, 100'000);
  EXPECT_EQ(take_all(budget, 10, 100'000), 100U);
  // A steady flow of work does not renew what was spent, but for the floor.
  count_work(budget, 0, 100, 105'000);
  EXPECT_EQ(take_all(budget, 10, 105'000), 10U);
  count_work(budget, 0, 1'000, 110'000);
  EXPECT_EQ(take_all(budget, 10, 110'000), 100U);
}

TEST(RetryBudget, IsExactAcrossWorkers) {
  RetryBudget budget(4);
  std::atomic<uint32_t> taken{0};
  run_threads(4,
              [&](int thread) { count_work(budget, static_cast<size_t>(thread), 5'000, 100'000); });
  run_threads(4, [&](int) {
    for (int i = 0; i < 3'000; ++i) {
      if (budget.take(20, 100'000)) ++taken;
    }
  });
  EXPECT_EQ(taken, 4'000U);
}

}  // namespace
}  // namespace lb
