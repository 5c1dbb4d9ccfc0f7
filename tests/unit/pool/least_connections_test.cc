// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
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

struct Traffic {
  const char* name;
  double picks_per_ms;
  size_t under_way;  // at a time
};

class LeastConnectionsInALargePool : public testing::TestWithParam<Traffic> {
 protected:
  static constexpr size_t kServers = 1'000;

  // As many picks as come until then, each of which ends when `under_way` others have begun.
  void run_until(double end_ms) {
    for (; now_ms_ < end_ms; now_ms_ += 1 / GetParam().picks_per_ms) {
      PickContext context{.now_ms = static_cast<int64_t>(now_ms_)};
      uint32_t index = balancer_->pick(context, {})->index;
      ++counts_[index];
      ASSERT_EQ(servers_[index].active()++, 0U) << "while others were idle";
      under_way_.push_back(index);
      if (under_way_.size() <= GetParam().under_way) continue;
      --servers_[under_way_.front()].active();
      under_way_.pop_front();
    }
  }

  Servers servers_ = Servers::equal(kServers);
  std::unique_ptr<Balancer> balancer_ =
      make_least_connections(servers_.candidates(), servers_.cursor());
  std::vector<uint32_t> counts_ = std::vector<uint32_t>(kServers, 0);
  std::deque<uint32_t> under_way_;
  double now_ms_ = 1'000'000;
};

TEST_P(LeastConnectionsInALargePool, TheSpreadIsEvenOverSeconds) {
  double seconds = std::max(4.0, 20 / GetParam().picks_per_ms);
  run_until(now_ms_ + 1'000 * seconds);
  double mean = std::accumulate(counts_.begin(), counts_.end(), 0.0) / kServers;
  auto [least, most] = std::minmax_element(counts_.begin(), counts_.end());
  EXPECT_GE(*least, mean * 0.85 - 1);
  EXPECT_LE(*most, mean * 1.15 + 1);
}

TEST_P(LeastConnectionsInALargePool, FewServersAreAskedAtATime) {
  run_until(now_ms_ + 500);
  std::fill(counts_.begin(), counts_.end(), 0);
  run_until(now_ms_ + 10);
  auto asked = kServers - static_cast<size_t>(std::count(counts_.begin(), counts_.end(), 0U));
  // Those of two windows, and what is under way beyond them.
  EXPECT_LE(asked, 2 * 67 + GetParam().under_way);
}

INSTANTIATE_TEST_SUITE_P(Rows, LeastConnectionsInALargePool,
                         testing::Values(Traffic{"OneNowAndThen", 0.1, 0}, Traffic{"Slow", 1, 3},
                                         Traffic{"Quick", 60, 40}, Traffic{"Many", 60, 300},
                                         Traffic{"NearlyAll", 60, 990}),
                         [](const auto& row) { return row.param.name; });

TEST(LeastConnections, WhereWeightsDifferTheHeaviestTakeTurnsInALargePoolToo) {
  std::vector<uint32_t> weights(1'000, 1);
  for (size_t i : {3, 4, 5, 500, 999}) weights[i] = 10;
  Servers servers(weights);
  auto balancer = make_least_connections(servers.candidates(), servers.cursor());
  std::vector<uint32_t> counts = count_picks(*balancer, 1'000, 500);
  for (size_t i : {3, 4, 5, 500, 999}) EXPECT_EQ(counts[i], 100U) << i;
}

}  // namespace
}  // namespace lb
