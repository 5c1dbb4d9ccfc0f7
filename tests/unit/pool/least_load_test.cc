// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <queue>

#include "servers.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kEvery{2'000};

std::unique_ptr<Balancer> least_load(Servers& servers, LoadMetric metric = LoadMetric::max) {
  return make_least_load(servers.candidates(), metric, servers.cursor());
}

// Servers with one processor each, of uneven strength, that report how busy theirs was since the
// last report; work comes at random times.
class Farm {
 public:
  using Choose = std::function<uint32_t(const PickContext&)>;

  explicit Farm(std::vector<double> strengths)
      : servers_(Servers::equal(strengths.size())), strengths_(std::move(strengths)) {}

  Servers& servers() { return servers_; }

  // How busy the busiest server was relative to the mean.
  struct Outcome {
    double overall = 0;
    double in_pauses = 0;  // in each time between two reports, on the average
  };

  // `offered`: of what all servers together can do.
  Outcome run(const Choose& choose, double offered, uint64_t seed) {
    size_t count = strengths_.size();
    double capacity = std::accumulate(strengths_.begin(), strengths_.end(), 0.0);
    double pause_ms = kCost_ms / (offered * capacity);
    Numbers numbers(seed);
    std::vector<double> free_at(count, 0);
    std::vector<double> busy_until_report(count, 0);
    auto pause = static_cast<double>(kEvery.count());
    std::vector<std::vector<double>> busy(static_cast<size_t>(kLasts_ms / pause),
                                          std::vector<double>(count, 0));
    std::vector<double> report_at(count);
    for (size_t i = 0; i < count; ++i) {
      report_at[i] = pause * static_cast<double>(i + 1) / static_cast<double>(count);
    }
    std::vector<std::priority_queue<double, std::vector<double>, std::greater<>>> open(count);
    std::vector<std::vector<std::pair<double, Lease>>> leases(count);
    for (double now_ms = 1; now_ms < kLasts_ms;
         now_ms += -std::log(1 - numbers.unit()) * pause_ms) {
      for (size_t i = 0; i < count; ++i) {
        std::erase_if(leases[i], [&](const auto& lease) { return lease.first <= now_ms; });
        if (now_ms < report_at[i]) continue;
        double left = std::max(0.0, free_at[i] - now_ms);  // begun and not done
        double worked = std::max(0.0, busy_until_report[i] - left);
        busy_until_report[i] -= worked;
        double share = std::min(1.0, worked / pause);
        servers_[i].reported.note({.cpu = share}, static_cast<int64_t>(now_ms), kEvery);
        report_at[i] += pause;
      }
      uint32_t index = choose({0, numbers.next(), static_cast<int64_t>(now_ms)});
      double cost = kCost_ms / strengths_[index] * (0.5 + numbers.unit());
      double from = std::max(free_at[index], now_ms);
      free_at[index] = from + cost;
      for (double at = from; at < std::min(free_at[index], kLasts_ms - 1);) {
        auto which = static_cast<size_t>(at / pause);
        double until = std::min(free_at[index], static_cast<double>(which + 1) * pause);
        busy[which][index] += until - at;
        at = until;
      }
      busy_until_report[index] += cost;
      servers_[index].active()++;
      leases[index].emplace_back(free_at[index], Lease(&servers_[index]));
    }
    busy.erase(busy.begin(), busy.begin() + static_cast<ptrdiff_t>(kWarmUp_ms / pause));
    Outcome outcome;
    std::vector<double> all(count, 0);
    for (const auto& shares : busy) {
      outcome.in_pauses += busiest(shares) / static_cast<double>(busy.size());
      for (size_t i = 0; i < count; ++i) all[i] += shares[i];
    }
    outcome.overall = busiest(all);
    return outcome;
  }

 private:
  static constexpr double kCost_ms = 20;
  static constexpr double kLasts_ms = 80'000;
  static constexpr double kWarmUp_ms = 20'000;

  static double busiest(const std::vector<double>& shares) {
    double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    return *std::max_element(shares.begin(), shares.end()) * static_cast<double>(shares.size()) /
           sum;
  }

  Servers servers_;
  std::vector<double> strengths_;
};

const std::vector<double> kUneven = {0.5, 0.75, 1, 1, 1, 1.25, 1.5, 2};

Farm::Choose by(const Balancer& balancer) {
  return [&](const PickContext& context) { return balancer.pick(context, {})->index; };
}

// What the formula is there to avoid.
Farm::Choose least_reported(Servers& servers) {
  return [&](const PickContext&) {
    auto load = [&](uint32_t i) { return servers[i].reported.report().usual().value_or(0); };
    uint32_t best = 0;
    for (uint32_t i = 1; i < servers.size(); ++i) {
      if (load(i) < load(best)) best = i;
    }
    return best;
  };
}

TEST(LeastLoad, UnevenServersAreAboutEquallyBusyAtAnyTime) {
  for (double offered : {0.3, 0.6, 0.8}) {
    Farm farm(kUneven);
    auto balancer = least_load(farm.servers());
    auto outcome = farm.run(by(*balancer), offered, 1);
    Farm naive(kUneven);
    auto herd = naive.run(least_reported(naive.servers()), offered, 1);
    EXPECT_LE(outcome.overall, 1.1) << "offered " << offered;
    EXPECT_LE(outcome.in_pauses, 1.3) << "offered " << offered;
    EXPECT_LT(outcome.overall, herd.overall) << "offered " << offered;
    EXPECT_LT(outcome.in_pauses, herd.in_pauses) << "offered " << offered;
  }
}

// Otherwise a burst would be sent elsewhere for what the server has never said.
TEST(LeastLoad, AFigureThatWorkDoesNotChangeIsTakenAsReported) {
  Servers servers = Servers::equal(2);
  auto balancer = least_load(servers);
  for (int64_t at_ms = 1'000; at_ms < 20'000; at_ms += 2'000) {
    servers[0].reported.note({.cpu = 0.1}, at_ms, kEvery);
    servers[1].reported.note({.cpu = 0.5}, at_ms, kEvery);
    for (int64_t work = 0; work < at_ms % 7 * 100; ++work) {
      EXPECT_EQ(balancer->pick({0, 0, at_ms + 1'000}, {})->index, 0u);
      Lease lease(&servers[0]);
      servers[0].active()++;
    }
  }
}

TEST(LeastLoad, ChoosesTheServerThatReportsLeast) {
  Servers servers = Servers::equal(3);
  servers[0].reported.note({.cpu = 0.5}, 1'000, kEvery);
  servers[1].reported.note({.cpu = 0.2, .network = 0.6}, 1'000, kEvery);
  servers[2].reported.note({.cpu = 0.3, .memory = 0.9}, 1'000, kEvery);
  struct Row {
    LoadMetric metric;
    uint32_t best;
  };
  // A server that does not report what is named counts as the mean of those that do.
  for (Row row : {Row{LoadMetric::max, 2}, Row{LoadMetric::cpu, 1}}) {
    auto balancer = least_load(servers, row.metric);
    for (uint64_t random = 0; random < 10; ++random) {
      EXPECT_EQ(balancer->pick({0, random, 1'000}, {})->index, row.best);
    }
  }
}

TEST(LeastLoad, AReportFadesIntoTheMean) {
  Servers servers = Servers::equal(2);
  auto balancer = least_load(servers);
  servers[1].reported.note({.cpu = 0.5}, 1'000, kEvery);
  servers[0].reported.note({.cpu = 0.1}, 1'000, kEvery);
  servers[0].active()++;
  Lease lease(&servers[0]);  // s = 1, m = 1.5: costs 0.15 x 1.67 = 0.25 of 0.55
  EXPECT_EQ(balancer->pick({0, 0, 1'000}, {})->index, 0u);
  servers[1].reported.note({.cpu = 0.5}, 6'900, kEvery);
  EXPECT_EQ(balancer->pick({0, 0, 6'900}, {})->index, 1u) << "what it said is almost forgotten";
}

TEST(LeastLoad, WhoHasNotReportedIsAskedNowAndThenWhileItHasLittleToDo) {
  Servers servers = Servers::equal(3);
  auto balancer = least_load(servers);
  servers[0].reported.note({.cpu = 0.9}, 1'000, kEvery);  // long ago at 100,000
  Numbers numbers;
  auto picks_of_0 = [&] {
    int picks = 0;
    for (int i = 0; i < 6'400; ++i) {
      servers[1].reported.note({.cpu = 0.2}, 100'000, kEvery);
      servers[2].reported.note({.cpu = 0.3}, 100'000, kEvery);
      if (balancer->pick({0, numbers.next(), 100'000}, {})->index == 0) ++picks;
    }
    return picks;
  };
  EXPECT_NEAR(picks_of_0(), 100, 40);
  servers[0].active() += 2;
  EXPECT_EQ(picks_of_0(), 0) << "their answers will say";
  servers[0].active() -= 2;
  servers[0].reported.note({.cpu = 0.9}, 100'000, kEvery);
  EXPECT_EQ(picks_of_0(), 0);
}

TEST(LeastLoad, WithoutReportsTheFewestConnectionsWin) {
  Servers servers = Servers::equal(3);
  servers.set_active({5, 1, 3});
  auto balancer = least_load(servers);
  auto pick = balancer->pick({0, 7, 1'000}, {});
  EXPECT_EQ(pick->index, 1u);
  EXPECT_EQ(pick->seen, 1u);
  for (size_t i = 0; i < 3; ++i) {
    servers[i].reported.note({.cpu = i == 0 ? 0.1 : 0.9}, 1'000, kEvery);
  }
  EXPECT_EQ(balancer->pick({0, 7, 1'000}, {})->index, 0u);
  EXPECT_EQ(balancer->pick({0, 7, 7'000}, {})->index, 1u) << "six seconds are three pauses";
}

TEST(LeastLoad, EqualServersShare) {
  Servers servers = Servers::equal(4);
  for (size_t i = 0; i < 4; ++i) servers[i].reported.note({.cpu = 0.5}, 1, kEvery);
  for (uint32_t count : count_picks(*least_load(servers), 4, 4'000)) EXPECT_NEAR(count, 1'000, 150);
}

TEST(LeastLoad, WhatIsExcludedIsNotPicked) {
  for (size_t size : {3u, 20u}) {
    Servers servers = Servers::equal(size);
    auto balancer = least_load(servers);
    for (size_t i = 0; i < size; ++i) servers[i].reported.note({.cpu = 0.5}, 1, kEvery);
    Exclusions excluded;
    for (uint32_t i = 1; i < size; ++i) excluded.add(i);
    EXPECT_EQ(count_picks(*balancer, size, 100, excluded)[0], 100u);
    excluded.add(0);
    EXPECT_FALSE(balancer->pick({0, 1, 1}, excluded));
  }
}

TEST(LeastLoad, OfManyServersTheLessLoadedOfTwoIsTaken) {
  Servers servers = Servers::equal(100);
  auto balancer = least_load(servers);
  for (size_t i = 0; i < 100; ++i) {
    servers[i].reported.note({.cpu = static_cast<double>(i) / 100}, 1, kEvery);
  }
  auto counts = count_picks(*balancer, 100, 20'000);
  uint32_t lower = std::accumulate(counts.begin(), counts.begin() + 50, 0U);
  EXPECT_NEAR(lower, 15'000, 300);
  EXPECT_EQ(counts[99], 0u);
}

}  // namespace
}  // namespace lb
