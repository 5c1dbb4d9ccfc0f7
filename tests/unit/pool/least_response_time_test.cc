// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <queue>

#include "servers.h"

namespace lb {
namespace {

// Clients that each keep one piece of work open, in simulated time, with servers that answer after
// about their base time, now and then 5 to 10 ms later.
struct Scenario {
  const char* name;
  std::vector<double> base_ms;  // of each server
  int clients;
  double pause_ms;  // of a client between two pieces of work, on average
  double spikes;    // share of answers
  int work;
};

std::vector<double> shares(const Scenario& scenario, const std::vector<uint32_t>& weights,
                           uint64_t seed) {
  struct Event {
    double at_ms;
    double began_ms;
    int server;  // -1: a client begins
    bool operator>(const Event& other) const { return at_ms > other.at_ms; }
  };
  Servers servers(weights);
  auto balancer = make_least_response_time(servers.candidates());
  Numbers numbers(seed);
  auto pause = [&] { return -std::log(1 - numbers.unit()) * scenario.pause_ms; };
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  for (int i = 0; i < scenario.clients; ++i) events.push({pause(), 0, -1});
  std::vector<double> counts(weights.size(), 0);
  for (int done = 0; done < scenario.work;) {
    Event event = events.top();
    events.pop();
    auto now_ms = static_cast<int64_t>(event.at_ms);
    if (event.server >= 0) {
      auto& server = servers[static_cast<size_t>(event.server)];
      server.active()--;
      server.latency.record(static_cast<uint32_t>((event.at_ms - event.began_ms) * 1'000), now_ms);
      events.push({event.at_ms + pause(), 0, -1});
      continue;
    }
    uint32_t index = balancer->pick({0, numbers.next(), now_ms}, {})->index;
    servers[index].active()++;
    double takes = scenario.base_ms[index] * (0.6 + 0.8 * numbers.unit());
    if (numbers.unit() < scenario.spikes) takes += 5 + 5 * numbers.unit();
    events.push({event.at_ms + takes, event.at_ms, static_cast<int>(index)});
    counts[index] += 1.0 / scenario.work;
    ++done;
  }
  return counts;
}

class Simulation : public testing::TestWithParam<Scenario> {};

class IdenticalServers : public Simulation {};

TEST_P(IdenticalServers, GetTheirFairShareWhateverTheNoise) {
  auto fair = 1.0 / static_cast<double>(GetParam().base_ms.size());
  std::vector<uint32_t> weights(GetParam().base_ms.size(), 1);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    for (double share : shares(GetParam(), weights, seed)) {
      EXPECT_GE(share, 0.8 * fair) << "seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    LeastResponseTime, IdenticalServers,
    testing::Values(Scenario{"OneClient", {0.2, 0.2, 0.2}, 1, 1, 0.01, 5'000},
                    Scenario{"FewClients", {0.2, 0.2, 0.2}, 4, 1, 0.01, 5'000},
                    Scenario{"ManyClients", {1, 1, 1}, 64, 0.1, 0.01, 5'000},
                    Scenario{"TenServers", std::vector<double>(10, 0.5), 16, 0.1, 0.01, 20'000},
                    Scenario{"RareSpikes", {0.2, 0.2, 0.2}, 4, 1, 0.001, 5'000},
                    Scenario{"ManySpikes", {0.2, 0.2, 0.2}, 8, 1, 0.1, 5'000},
                    Scenario{"LittleWork", {0.2, 0.2, 0.2}, 10, 1'000, 0.01, 5'000},
                    Scenario{"SlowAlike", {40, 40, 40, 40}, 32, 10, 0.01, 5'000}),
    [](const auto& row) { return row.param.name; });

class OneSlowServer : public Simulation {};

TEST_P(OneSlowServer, GetsMuchLessThanItsShare) {
  auto fair = 1.0 / static_cast<double>(GetParam().base_ms.size());
  std::vector<uint32_t> weights(GetParam().base_ms.size(), 1);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    auto result = shares(GetParam(), weights, seed);
    EXPECT_LT(result[0], fair / 3) << "seed " << seed;
    EXPECT_GT(result[0], 0.01 * fair) << "it is still tried";
  }
}

INSTANTIATE_TEST_SUITE_P(
    LeastResponseTime, OneSlowServer,
    testing::Values(Scenario{"OneClient", {20, 2, 2}, 1, 0.1, 0.01, 3'000},
                    Scenario{"FewClients", {50, 5, 5}, 4, 0.1, 0.01, 3'000},
                    Scenario{"ManyClients", {20, 2, 2}, 64, 0.1, 0.01, 3'000},
                    Scenario{"TwoServers", {50, 5}, 8, 0.1, 0, 3'000},
                    Scenario{"HalfAMillisecond", {5, 0.5, 0.5}, 8, 0.1, 0.01, 3'000},
                    Scenario{"TenServers", {30, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 16, 0.1, 0.01, 6'000},
                    Scenario{"LittleWork", {20, 2, 2}, 10, 1'000, 0, 3'000}),
    [](const auto& row) { return row.param.name; });

TEST(LeastResponseTime, EqualTimesShareByWeight) {
  Scenario idle{"", {1, 1, 1}, 1, 1, 0, 20'000};
  auto result = shares(idle, {1, 2, 5}, 1);
  EXPECT_NEAR(result[0], 1.0 / 8, 0.02);
  EXPECT_NEAR(result[1], 2.0 / 8, 0.02);
  EXPECT_NEAR(result[2], 5.0 / 8, 0.02);
}

TEST(LeastResponseTime, AServerThatRecoversGetsItsShareBack) {
  Servers servers = Servers::equal(2);
  auto balancer = make_least_response_time(servers.candidates());
  servers[0].latency.record(1'000'000, 0);
  servers[1].latency.record(1'000, 0);
  Numbers numbers;
  std::vector<int> counts(2, 0);
  // A hundred picks a second, all answered within a millisecond from now on.
  for (int64_t now_ms = 0; now_ms < 60'000; now_ms += 10) {
    uint32_t index = balancer->pick({0, numbers.next(), now_ms}, {})->index;
    servers[index].latency.record(1'000, now_ms + 1);
    if (now_ms >= 50'000) ++counts[index];
  }
  EXPECT_NEAR(counts[0], 500, 100);
}

TEST(LeastResponseTime, AServerWithoutSamplesIsAsGoodAsTheBest) {
  Servers servers = Servers::equal(3);
  servers[0].latency.record(2'000, 0);
  servers[1].latency.record(2'000, 0);
  auto counts = count_picks(*make_least_response_time(servers.candidates()), 3, 9'000);
  EXPECT_NEAR(counts[2], 3'000, 300);
}

TEST(LeastResponseTime, OfTwoLeftEitherCanBeExcluded) {
  Servers servers = Servers::equal(3);
  auto balancer = make_least_response_time(servers.candidates());
  EXPECT_EQ(count_picks(*balancer, 3, 100, excluding({0, 2})), (std::vector<uint32_t>{0, 100, 0}));
  EXPECT_FALSE(balancer->pick({}, excluding({0, 1, 2})));
}

}  // namespace
}  // namespace lb
