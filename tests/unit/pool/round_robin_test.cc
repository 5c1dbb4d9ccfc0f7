// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "servers.h"

namespace lb {
namespace {

std::vector<uint32_t> picks(const Balancer& balancer, size_t count,
                            const Exclusions& excluded = {}) {
  std::vector<uint32_t> result;
  for (size_t i = 0; i < count; ++i) result.push_back(balancer.pick({}, excluded)->index);
  return result;
}

// The longest run of one server, across the end of the cycle too.
size_t longest_run(const std::vector<uint32_t>& cycle) {
  size_t longest = 0;
  size_t run = 0;
  for (size_t i = 0; i < 2 * cycle.size(); ++i) {
    bool same = i > 0 && cycle[i % cycle.size()] == cycle[(i - 1) % cycle.size()];
    run = same ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  return longest;
}

TEST(RoundRobin, EqualServersTakeTurns) {
  Servers servers = Servers::equal(3);
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  EXPECT_EQ(picks(*balancer, 7), (std::vector<uint32_t>{0, 1, 2, 0, 1, 2, 0}));
}

TEST(RoundRobin, EveryFivePicksOfTwoOneTwoAreExact) {
  Servers servers({2, 1, 2});
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  std::vector<uint32_t> order = picks(*balancer, 500);
  for (size_t start = 0; start + 5 <= order.size(); ++start) {
    std::vector<int> counts(3, 0);
    for (size_t i = start; i < start + 5; ++i) ++counts[order[i]];
    ASSERT_EQ(counts, (std::vector<int>{2, 1, 2})) << "from " << start;
  }
  EXPECT_EQ(longest_run({order.begin(), order.begin() + 5}), 1U);
}

TEST(RoundRobin, IsExactAcrossThreads) {
  Servers servers({2, 1, 2});
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  std::array<std::atomic<uint32_t>, 3> counts{};
  run_threads(4, [&](int) {
    for (int i = 0; i < 12'505; ++i) ++counts[balancer->pick({}, {})->index];
  });
  EXPECT_EQ(counts[0], 20'008U);
  EXPECT_EQ(counts[1], 10'004U);
  EXPECT_EQ(counts[2], 20'008U);
}

struct SmoothCase {
  const char* name;
  std::vector<uint32_t> weights;
  size_t cycle;
  size_t longest_run;
};

class SmoothOrder : public testing::TestWithParam<SmoothCase> {};

TEST_P(SmoothOrder, GivesEachServerItsWeightEvenlySpread) {
  const auto& row = GetParam();
  Servers servers(row.weights);
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  std::vector<uint32_t> order = picks(*balancer, row.cycle);
  uint32_t sum = std::accumulate(row.weights.begin(), row.weights.end(), 0U);
  for (uint32_t i = 0; i < row.weights.size(); ++i) {
    EXPECT_EQ(std::count(order.begin(), order.end(), i) * sum, row.weights[i] * row.cycle) << i;
  }
  EXPECT_LE(longest_run(order), row.longest_run);
  EXPECT_EQ(picks(*balancer, row.cycle), order) << "the cycle repeats";
}

INSTANTIATE_TEST_SUITE_P(
    Weights, SmoothOrder,
    testing::Values(SmoothCase{"One", {7}, 1, 2},  //
                    SmoothCase{"CommonDivisor", {100, 50, 100}, 5, 1},
                    SmoothCase{"FiveOneOne", {5, 1, 1}, 7, 3},
                    SmoothCase{"Extremes", {1'000, 1}, 1'001, 1'000},
                    SmoothCase{"HeavyAmongMany", {10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 20, 1},
                    SmoothCase{"AllDifferent", {1, 2, 3, 4, 5, 6, 7, 8}, 36, 2}),
    [](const auto& row) { return row.param.name; });

TEST(RoundRobin, TheTurnsOfAnExcludedServerAreSharedByAllOthers) {
  Servers servers = Servers::equal(5);
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  EXPECT_EQ(count_picks(*balancer, 5, 400, excluding({1})),
            (std::vector<uint32_t>{100, 0, 100, 100, 100}));
}

TEST(RoundRobin, ExcludedServersAreSharedOutAcrossThreadsToo) {
  Servers servers = Servers::equal(5);
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  std::array<std::atomic<uint32_t>, 5> counts{};
  Exclusions excluded = excluding({1, 2});
  run_threads(4, [&](int) {
    for (int i = 0; i < 9'000; ++i) ++counts[balancer->pick({}, excluded)->index];
  });
  EXPECT_EQ(counts[1] + counts[2], 0U);
  for (size_t i : {0U, 3U, 4U}) EXPECT_NEAR(counts[i], 12'000, 600) << i;
}

TEST(RoundRobin, FindsTheOnlyServerLeftOfAThousand) {
  Servers servers = Servers::equal(1'000);
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  Exclusions excluded;
  for (uint32_t i = 0; i < 1'000; ++i) {
    if (i != 617) excluded.add(i);
  }
  EXPECT_EQ(balancer->pick({}, excluded)->index, 617U);
  excluded.add(617);
  EXPECT_FALSE(balancer->pick({}, excluded));
}

std::vector<uint32_t> uneven_weights(size_t count) {
  std::vector<uint32_t> weights;
  Numbers numbers;
  for (size_t i = 0; i < count; ++i) {
    weights.push_back(1 + static_cast<uint32_t>(numbers.next() % 1'000));
  }
  return weights;
}

TEST(RoundRobin, KeepsToTheWeightsWhenACycleIsTooLongToStore) {
  std::vector<uint32_t> weights = uneven_weights(1'000);
  Servers servers(weights);
  uint32_t sum = std::accumulate(weights.begin(), weights.end(), 0U);
  ASSERT_GT(sum, 65'536U);
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  auto counts = count_picks(*balancer, 1'000, 10 * sum);
  for (size_t i = 0; i < weights.size(); ++i) {
    ASSERT_NEAR(counts[i], 10.0 * weights[i], 6) << "weight " << weights[i];
  }
}

TEST(RoundRobin, AServerOfLittleWeightIsFoundAmongExcludedHeavyOnes) {
  std::vector<uint32_t> weights(1'000, 999);
  weights[500] = 1;
  Servers servers(weights);
  auto balancer = make_round_robin(servers.candidates(), servers.cursor());
  Exclusions excluded;
  for (uint32_t i = 0; i < 1'000; ++i) {
    if (i != 500) excluded.add(i);
  }
  EXPECT_EQ(balancer->pick({}, excluded)->index, 500U);
}

TEST(RoundRobin, AChangedGroupGoesOnFromTheSharedCursor) {
  Servers servers = Servers::equal(4);
  auto before = make_round_robin(servers.candidates(), servers.cursor());
  picks(*before, 3);
  auto after = make_round_robin(servers.candidates(), servers.cursor());
  EXPECT_EQ(picks(*after, 2), (std::vector<uint32_t>{3, 0}));
}

}  // namespace
}  // namespace lb
