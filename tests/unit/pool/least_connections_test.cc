// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "servers.h"

namespace lb {
namespace {

struct ChoiceCase {
  const char* name;
  std::vector<uint32_t> weights;
  std::vector<uint32_t> active;
  std::vector<uint32_t> excluded;
  uint32_t expected;
};

class LeastConnectionsChoice : public testing::TestWithParam<ChoiceCase> {};

TEST_P(LeastConnectionsChoice, IsTheLeastForItsWeight) {
  const auto& row = GetParam();
  Servers servers(row.weights);
  servers.set_active(row.active);
  auto balancer = make_least_connections(servers.candidates(), servers.cursor());
  // Wherever the scan begins.
  for (uint64_t start = 0; start < row.weights.size(); ++start) {
    servers.cursor() = start;
    auto pick = balancer->pick({}, excluding(row.excluded));
    ASSERT_TRUE(pick);
    EXPECT_EQ(pick->index, row.expected) << "from " << start;
    EXPECT_EQ(pick->seen, row.active[row.expected]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, LeastConnectionsChoice,
    testing::Values(ChoiceCase{"Least", {1, 1, 1}, {5, 3, 4}, {}, 1},
                    ChoiceCase{"Idle", {1, 1, 1}, {1, 1, 0}, {}, 2},
                    ChoiceCase{"LeastIsExcluded", {1, 1, 1}, {5, 3, 4}, {1}, 2},
                    ChoiceCase{"HeavierTakesMore", {3, 1}, {1, 0}, {}, 0},
                    ChoiceCase{"HeavierHasEnough", {3, 1}, {3, 0}, {}, 1},
                    ChoiceCase{"HeaviestIdleWins", {1, 10, 1}, {0, 0, 0}, {}, 1},
                    ChoiceCase{"HugeCounts", {1'000, 1}, {4'000'000'000, 4'000'001}, {}, 0},
                    ChoiceCase{"One", {5}, {9}, {}, 0}),
    [](const auto& row) { return row.param.name; });

TEST(LeastConnections, TiesAreServedInTurn) {
  Servers servers = Servers::equal(4);
  auto balancer = make_least_connections(servers.candidates(), servers.cursor());
  std::vector<uint32_t> order;
  for (int i = 0; i < 8; ++i) order.push_back(balancer->pick({}, {})->index);
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 1, 2, 3, 0, 1, 2, 3}));
}

TEST(LeastConnections, TiesBesideABusyServerAreServedInTurnToo) {
  // The one behind the busy server must not inherit its turns.
  Servers servers = Servers::equal(4);
  servers.set_active({1, 1, 9, 1});
  auto balancer = make_least_connections(servers.candidates(), servers.cursor());
  EXPECT_EQ(count_picks(*balancer, 4, 300), (std::vector<uint32_t>{100, 100, 0, 100}));
}

TEST(LeastConnections, NothingWhenAllAreExcluded) {
  Servers servers = Servers::equal(2);
  auto balancer = make_least_connections(servers.candidates(), servers.cursor());
  EXPECT_FALSE(balancer->pick({}, excluding({0, 1})));
}

TEST(LeastConnections, WorkThatStaysSpreadsByWeight) {
  Servers servers({1, 2, 5});
  auto balancer = make_least_connections(servers.candidates(), servers.cursor());
  for (int i = 0; i < 800; ++i) servers[balancer->pick({}, {})->index].active()++;
  EXPECT_NEAR(servers.active(0), 100, 1);
  EXPECT_NEAR(servers.active(1), 200, 1);
  EXPECT_NEAR(servers.active(2), 500, 1);
}

TEST(LeastConnections, AThousandServersFillEvenly) {
  Servers servers = Servers::equal(1'000);
  auto balancer = make_least_connections(servers.candidates(), servers.cursor());
  for (int i = 0; i < 3'500; ++i) servers[balancer->pick({}, {})->index].active()++;
  for (size_t i = 0; i < 1'000; ++i) {
    ASSERT_GE(servers.active(i), 3U);
    ASSERT_LE(servers.active(i), 4U);
  }
}

}  // namespace
}  // namespace lb
