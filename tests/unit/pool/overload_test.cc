// SPDX-License-Identifier: MIT
#include "pool/overload.h"

#include <gtest/gtest.h>

#include <vector>

namespace lb {
namespace {

LoadReport cpu(double load) {
  return {.cpu = load};
}

TEST(Overload, BeginsAboveTheThresholdAndEndsFivePointsBelow) {
  // Every whole per cent, where hundredths are no exact numbers.
  for (uint32_t threshold = 5; threshold <= 100; ++threshold) {
    Overload overload({.cpu = threshold});
    EXPECT_FALSE(overload.add(cpu(threshold / 100.0))) << threshold;
    EXPECT_TRUE(overload.add(cpu((threshold + 1) / 100.0))) << threshold;
    EXPECT_FALSE(overload.add(cpu((threshold - 4) / 100.0))) << threshold;
    EXPECT_TRUE(overload.overloaded());
    EXPECT_TRUE(overload.add(cpu((threshold - 5) / 100.0))) << threshold;
    EXPECT_FALSE(overload.overloaded());
  }
}

TEST(Overload, OfAnyFigureBeginsItAndAllMustEndIt) {
  Overload overload({.cpu = 90, .memory = 80, .network = 70});
  auto change = overload.add({.cpu = 0.5, .memory = 0.5, .network = 0.71});
  ASSERT_TRUE(change);
  EXPECT_TRUE(change->overloaded);
  EXPECT_EQ(change->reason, "network 71 % is above 70 %");
  EXPECT_FALSE(overload.add({.cpu = 0.5, .memory = 0.76, .network = 0.1}));
  EXPECT_TRUE(overload.add({.cpu = 0.85, .memory = 0.75, .network = 0.65}));
}

TEST(Overload, IsNoneWhereNothingIsSaidOrAsked) {
  Overload indifferent({});
  EXPECT_FALSE(indifferent.add({.cpu = 9, .memory = 9, .network = 9}));
  Overload overload({.cpu = 0});
  EXPECT_FALSE(overload.add({.memory = 9}));
  EXPECT_FALSE(overload.add(cpu(0)));
  EXPECT_TRUE(overload.add(cpu(0.01)));
  EXPECT_TRUE(overload.add({})) << "a figure that is gone is no load";
}

TEST(Overload, FollowsNewThresholdsWithTheNextReport) {
  Overload overload({.cpu = 90});
  EXPECT_TRUE(overload.add(cpu(0.95)));
  overload.set_thresholds({});
  EXPECT_TRUE(overload.overloaded());
  EXPECT_TRUE(overload.add(cpu(0.95)));
  EXPECT_FALSE(overload.overloaded());
}

}  // namespace
}  // namespace lb
