// SPDX-License-Identifier: MIT
#include "pool/work_cost.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

TEST(WorkCost, AFigureIsTakenAsReportedUntilItIsSeenToFollowFromWork) {
  WorkCost cost;
  EXPECT_EQ(cost.expect(0.5, 100, 0.5), 0.5);
  cost.learn(0.2, 0.2, 20);
  EXPECT_EQ(cost.expect(0.2, 100, 0.5), 0.2);
  cost.learn(0.2, 0.4, 40);
  cost.learn(0.4, 0.1, 10);
  EXPECT_NEAR(cost.expect(0.1, 30, 0.5), 0.1 / 2 + 0.3, 0.001);
  EXPECT_NEAR(cost.expect(0.1, 30, 2), 0.15, 0.001) << "30 in two pauses";
}

TEST(WorkCost, AFigureThatStaysWhateverIsDoneIsTakenAsReported) {
  WorkCost cost;
  for (double work : {1.0, 5.0, 500.0, 2.0, 0.0, 300.0}) {
    cost.learn(0.3, 0.3, work);
    EXPECT_EQ(cost.expect(0.3, 1'000, 0.9), 0.3);
  }
}

TEST(WorkCost, TrustIsLostWhenTheFigureNoLongerFollows) {
  WorkCost cost;
  for (double load : {0.1, 0.4, 0.1, 0.4}) cost.learn(0.5 - load, load, load * 100);
  EXPECT_NE(cost.expect(0.4, 100, 0.5), 0.4);
  for (double work : {80.0, 5.0, 70.0, 3.0}) cost.learn(0.4, 0.4, work);
  EXPECT_EQ(cost.expect(0.4, 100, 0.5), 0.4);
}

}  // namespace
}  // namespace lb
