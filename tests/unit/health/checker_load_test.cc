// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "checker_rig.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

// Servers of several pools at one address.
class SharedCheckTest : public CheckerTest {
 protected:
  bool run_until_seen(size_t count) {
    return run_until(loop_, [&] { return seen_.size() >= count; });
  }
  Server& one_ = add(target_.address());
  Server& other_ = add(target_.address());
};

TEST_F(SharedCheckTest, IdenticalChecksRunOnce) {
  checker_.watch(one_, pool_of(rarely()));
  checker_.watch(other_, pool_of(rarely()));
  ASSERT_TRUE(run_until_seen(2));
  EXPECT_EQ(seen_[0].server, &one_);
  EXPECT_EQ(seen_[1].server, &other_);
  checker_.check_now(one_);
  ASSERT_TRUE(run_until_connections(2));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > 2; }, milliseconds(20)));
}

TEST_F(SharedCheckTest, ThoseThatDifferRunApart) {
  HealthCheckConfig config = rarely();
  config.rise = 5;
  PoolConfig from = pool_of(rarely());
  from.source = {*Address::parse_ip("127.0.0.2", 0)};
  checker_.watch(one_, pool_of(rarely()));
  checker_.watch(other_, pool_of(config));
  checker_.watch(add(target_.address()), from);
  ASSERT_TRUE(run_until_seen(3));
  EXPECT_TRUE(run_until_connections(3));
}

TEST_F(SharedCheckTest, ANewcomerIsToldWhatIsKnown) {
  checker_.watch(one_, pool_of(rarely()));
  ASSERT_TRUE(run_until_seen(1));
  const Server* checked = nullptr;
  checker_.on_result = [&](const Server& server, const CheckRecord& record) {
    EXPECT_TRUE(record.passed);
    checked = &server;
  };
  checker_.watch(other_, pool_of(rarely()));
  EXPECT_EQ(seen_.size(), 1u) << "not from within watch()";
  ASSERT_TRUE(run_until_seen(2));
  EXPECT_EQ(checked, &other_) << "of the check that was made before it came";
  EXPECT_EQ(seen_[1].server, &other_);
  EXPECT_EQ(seen_[1].transition.to, Health::healthy);
  EXPECT_EQ(target_.connections, 1);
}

TEST_F(SharedCheckTest, ANewcomerMayLeaveBeforeItIsTold) {
  checker_.watch(one_, pool_of(rarely()));
  ASSERT_TRUE(run_until_seen(1));
  checker_.watch(other_, pool_of(rarely()));
  checker_.forget(other_);
  EXPECT_TRUE(stays_away(
      loop_, [&] { return seen_.size() > 1; }, milliseconds(10)));
}

TEST_F(SharedCheckTest, TheyGoOnForWhoeverIsLeft) {
  HealthCheckConfig config = rarely();
  config.interval = milliseconds(2);
  checker_.watch(one_, pool_of(config));
  checker_.watch(other_, pool_of(config));
  ASSERT_TRUE(run_until_seen(2));
  checker_.forget(one_);
  int before = target_.connections;
  EXPECT_TRUE(run_until_connections(before + 3));
  checker_.forget(other_);
  before = target_.connections;
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > before + 1; }, milliseconds(20)));
}

TEST_F(SharedCheckTest, ATransitionMayForgetAll) {
  on_transition_ = [this](Server&) {
    checker_.forget(one_);
    checker_.forget(other_);
  };
  checker_.watch(one_, pool_of(rarely()));
  checker_.watch(other_, pool_of(rarely()));
  ASSERT_TRUE(run_until_seen(1));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return seen_.size() > 1; }, milliseconds(10)));
}

TEST_F(SharedCheckTest, NewRulesForBothKeepTheirState) {
  checker_.watch(one_, pool_of(rarely()));
  checker_.watch(other_, pool_of(rarely()));
  ASSERT_TRUE(run_until_seen(2));
  HealthCheckConfig config = rarely();
  config.port = refusing_address().port();
  config.interval = milliseconds(1);
  config.fast_interval = milliseconds(1);
  config.fall = 3;
  checker_.watch(one_, pool_of(config));
  checker_.watch(other_, pool_of(config));
  ASSERT_TRUE(run_until_seen(4));
  EXPECT_EQ(seen_[2].transition.from, Health::healthy);
  EXPECT_EQ(seen_[2].transition.to, Health::unhealthy);
  EXPECT_EQ(seen_[3].transition.from, Health::healthy);
}

// Checks of type http, whose answer is a load in per cent.
class LoadTest : public CheckerTest {
 protected:
  LoadTest() {
    config_.type = CheckType::http;
    config_.thresholds.cpu = 90;
    target_.close_afterwards = true;
    checker_.on_overload = [this](Server&, bool overloaded, const std::string& reason) {
      told_.push_back((overloaded ? "overloaded: " : "fine: ") + reason);
    };
    checker_.on_agent = [this](Server&, const AgentWish& wish, const std::string&) {
      wishes_.push_back(wish);
    };
  }
  void say(const std::string& body) { target_.pieces = {"HTTP/1.1 200 OK\r\n\r\n" + body}; }
  // Runs one more check to its end.
  void check_again() {
    size_t before = results_;
    checker_.on_result = [this](const Server&, const CheckRecord& record) {
      ++results_;
      load_ = record.load;
    };
    checker_.check_now(server_);
    ASSERT_TRUE(run_until(loop_, [&] { return results_ > before; }));
  }

  HealthCheckConfig config_ = rarely();
  Server& server_ = add(target_.address());
  std::vector<std::string> told_;
  std::vector<AgentWish> wishes_;
  size_t results_ = 0;
  std::optional<double> load_;  // in the last result
};

TEST_F(LoadTest, AResultHasTheGreaterOfCpuAndNetwork) {
  checker_.watch(server_, pool_of(config_));
  const std::pair<const char*, std::optional<double>> steps[] = {
      {R"({"cpu": 30, "network": 40, "memory": 80})", 0.4},
      {R"({"cpu": 30})", 0.3},
      {R"({"memory": 80})", std::nullopt},
      {"no load at all", std::nullopt}};
  for (const auto& [body, load] : steps) {
    say(body);
    check_again();
    EXPECT_EQ(load_, load) << body;
  }
}

TEST_F(LoadTest, OverloadBeginsAboveAndEndsFivePointsBelow) {
  checker_.watch(server_, pool_of(config_));
  const std::pair<const char*, size_t> steps[] = {
      {R"({"cpu": 90})", 0}, {R"({"cpu": 91})", 1},  {R"({"cpu": 86})", 1}, {R"({"cpu": 85})", 2},
      {R"({"cpu": 89})", 2}, {R"({"cpu": 300})", 3}, {"no load at all", 4}};
  for (const auto& [body, told] : steps) {
    say(body);
    check_again();
    EXPECT_EQ(told_.size(), told) << body;
  }
  EXPECT_EQ(told_[0], "overloaded: cpu 91 % is above 90 %");
  EXPECT_EQ(told_[1], "fine: its load is below the thresholds again");
  EXPECT_EQ(health(), Health::healthy) << "overload is no failure";
}

TEST_F(LoadTest, AServerMayComeUpOverloaded) {
  say(R"({"cpu": 95})");
  checker_.watch(server_, pool_of(config_));
  on_transition_ = [this](Server&) { EXPECT_EQ(told_.size(), 1u) << "told before its health"; };
  ASSERT_TRUE(run_until_health(Health::healthy));
  EXPECT_EQ(seen_[0].transition.reason, "status 200, cpu 95 % is above 90 %");
}

TEST_F(LoadTest, AFailureWithoutAReportLeavesTheOverloadAsItIs) {
  say(R"({"cpu": 95})");
  checker_.watch(server_, pool_of(config_));
  check_again();
  target_.pieces = {"garbage"};
  check_again();
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(LoadTest, WithoutThresholdsNothingIsOverloaded) {
  config_.thresholds = {};
  say(R"({"cpu": 500})");
  checker_.watch(server_, pool_of(config_));
  check_again();
  EXPECT_TRUE(told_.empty());
}

TEST_F(LoadTest, AnAgentIsToldOfWhereItsWishesChange) {
  config_.type = CheckType::agent;
  target_.pieces = {"drain 50%\n"};
  checker_.watch(server_, pool_of(config_));
  check_again();
  target_.pieces = {"up\n"};
  check_again();
  ASSERT_EQ(wishes_.size(), 1u) << "what it says no more of stays";
  EXPECT_EQ(wishes_[0], (AgentWish{.state = AdminState::drain, .weight_percent = 50}));
  target_.pieces = {"ready\n"};
  check_again();
  ASSERT_EQ(wishes_.size(), 2u);
  EXPECT_EQ(wishes_[1], (AgentWish{.state = AdminState::ready, .weight_percent = 50}));
  config_.type = CheckType::tcp;
  checker_.watch(server_, pool_of(config_));
  check_again();
  ASSERT_EQ(wishes_.size(), 3u) << "without an agent nobody wishes";
  EXPECT_EQ(wishes_[2], AgentWish());
}

}  // namespace
}  // namespace lb
