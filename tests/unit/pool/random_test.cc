// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "pool/weighted_draw.h"
#include "servers.h"

namespace lb {
namespace {

TEST(WeightedDraw, TheFirstIsDrawnByWeightAndTheSecondFromTheRest) {
  Servers servers({1, 2, 5});
  WeightedDraw draw(servers.candidates());
  Numbers numbers;
  constexpr int kDraws = 80'000;
  double counts[3][3] = {};
  for (int i = 0; i < kDraws; ++i) {
    auto two = draw.two(numbers.next(), {});
    ++counts[two->first][*two->second];
  }
  const double weights[3] = {1, 2, 5};
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      double share = a == b ? 0 : weights[a] / 8 * weights[b] / (8 - weights[a]);
      EXPECT_NEAR(counts[a][b] / kDraws, share, 5 * std::sqrt(share / kDraws)) << a << b;
    }
  }
}

TEST(WeightedDraw, ExcludedServersAreNeverDrawn) {
  Servers servers({1, 100, 2, 100, 5});
  WeightedDraw draw(servers.candidates());
  Numbers numbers;
  constexpr int kDraws = 80'000;
  double first[5] = {};
  for (int i = 0; i < kDraws; ++i) {
    auto two = draw.two(numbers.next(), excluding({1, 3}));
    ++first[two->first];
    ASSERT_TRUE(two->second);
    ASSERT_NE(two->first, *two->second);
    ASSERT_NE(*two->second, 1U);
    ASSERT_NE(*two->second, 3U);
  }
  EXPECT_NEAR(first[0] / kDraws, 1.0 / 8, 0.01);
  EXPECT_NEAR(first[2] / kDraws, 2.0 / 8, 0.01);
  EXPECT_NEAR(first[4] / kDraws, 5.0 / 8, 0.01);
}

TEST(WeightedDraw, TheLastOneLeftIsDrawnAlone) {
  Servers servers = Servers::equal(3);
  WeightedDraw draw(servers.candidates());
  auto two = draw.two(~uint64_t{0}, excluding({0, 2}));
  EXPECT_EQ(two->first, 1U);
  EXPECT_FALSE(two->second);
  EXPECT_FALSE(draw.two(0, excluding({0, 1, 2})));
  EXPECT_FALSE(WeightedDraw(Servers::equal(1).candidates()).two(7, {})->second);
}

TEST(Random, IdleServersShareByWeight) {
  Servers servers({1, 3});
  auto balancer = make_random(servers.candidates());
  auto counts = count_picks(*balancer, 2, 40'000);
  EXPECT_NEAR(counts[0], 10'000, 500);
  EXPECT_NEAR(counts[1], 30'000, 500);
}

TEST(Random, TheBusiestIsNeverTheBetterOfTwo) {
  Servers servers = Servers::equal(3);
  servers.set_active({4, 9, 4});
  auto balancer = make_random(servers.candidates());
  auto counts = count_picks(*balancer, 3, 10'000);
  EXPECT_EQ(counts[1], 0U);
  EXPECT_NEAR(counts[0], 5'000, 300);
}

TEST(Random, WorkIsComparedForItsWeight) {
  Servers servers({1, 10});
  servers.set_active({2, 15});
  auto balancer = make_random(servers.candidates());
  EXPECT_EQ(count_picks(*balancer, 2, 100), (std::vector<uint32_t>{0, 100}));
}

TEST(Random, WorkThatStaysIsFarMoreEvenThanByChance) {
  Servers servers = Servers::equal(100);
  auto balancer = make_random(servers.candidates());
  Numbers numbers;
  for (int i = 0; i < 10'000; ++i) {
    servers[balancer->pick({0, numbers.next(), 0}, {})->index].active()++;
  }
  // One choice alone would leave about 130 at the busiest.
  for (size_t i = 0; i < 100; ++i) EXPECT_NEAR(servers.active(i), 100, 8);
}

TEST(Random, NothingWhenAllAreExcluded) {
  Servers servers = Servers::equal(2);
  EXPECT_FALSE(make_random(servers.candidates())->pick({}, excluding({0, 1})));
}

}  // namespace
}  // namespace lb
