// SPDX-License-Identifier: MIT
#include "health/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "checker_rig.h"
#include "common/clock.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST_F(CheckerTest, TheFirstCheckComesAtOnceAndAPassDecides) {
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(rarely()));
  ASSERT_TRUE(run_until_health(Health::healthy));
  EXPECT_EQ(seen_[0].server, &server);
  EXPECT_EQ(seen_[0].transition.from, Health::unknown);
  EXPECT_EQ(seen_[0].transition.reason, "connected");
}

TEST_F(CheckerTest, AFirstFailureDecidesTooAndSaysWhy) {
  checker_.watch(add(refusing_address()), pool_of(rarely()));
  ASSERT_TRUE(run_until_health(Health::unhealthy));
  EXPECT_EQ(seen_[0].transition.from, Health::unknown);
  EXPECT_EQ(seen_[0].transition.reason, "Connection refused");
}

TEST_F(CheckerTest, EveryResultIsToldBeforeWhatItChanges) {
  std::vector<CheckRecord> records;
  size_t changes_before = 99;
  checker_.on_result = [&](const Server&, CheckRecord record) {
    changes_before = seen_.size();
    records.push_back(std::move(record));
  };
  int64_t started_ms = unix_ms();
  HealthCheckConfig config = rarely();
  config.expect = "ok";
  config.fast_interval = milliseconds(2);
  target_.pieces = {"no"};
  checker_.watch(add(target_.address()), pool_of(config));
  ASSERT_TRUE(run_until_health(Health::unhealthy));
  EXPECT_EQ(changes_before, 0u);
  ASSERT_TRUE(run_until(loop_, [&] { return records.size() == 2; })) << "no change, but a result";
  EXPECT_FALSE(records[1].passed);
  EXPECT_EQ(records[1].detail, "an answer other than the expected one");
  EXPECT_GE(records[1].at_ms, started_ms);
  EXPECT_LT(records[1].took.count(), 5'000);
}

TEST_F(CheckerTest, ManyServersAreAllCheckedSoon) {
  for (int i = 0; i < 200; ++i) checker_.watch(add(target_.address()), pool_of(rarely()));
  EXPECT_TRUE(run_until(loop_, [&] { return seen_.size() == 200; }));
}

TEST_F(CheckerTest, ChecksGoOnAndOnlyChangesAreTold) {
  HealthCheckConfig config = rarely();
  config.interval = milliseconds(5);
  checker_.watch(add(target_.address()), pool_of(config));
  EXPECT_TRUE(run_until_connections(6));
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(CheckerTest, ChecksComeFastWhileInDoubtAndWhileDown) {
  HealthCheckConfig config = rarely();
  config.fast_interval = milliseconds(2);
  config.expect = "ok";
  config.rise = 2;
  config.fall = 3;
  target_.pieces = {"ok"};
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_health(Health::healthy));
  int passed = target_.connections;
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > passed; }, milliseconds(30)))
      << "no doubt, no fast check";

  target_.pieces = {"no"};
  checker_.check_now(server);
  ASSERT_TRUE(run_until_health(Health::unhealthy));
  EXPECT_EQ(target_.connections, passed + 3) << "by the interval it would have taken hours";
  EXPECT_THAT(seen_.back().transition.reason, HasSubstr("other than the expected"));
  EXPECT_EQ(seen_.back().transition.from, Health::healthy);

  ASSERT_TRUE(run_until_connections(passed + 6)) << "fast while it is down";
  target_.pieces = {"ok"};
  ASSERT_TRUE(run_until_health(Health::healthy));
  EXPECT_EQ(seen_.size(), 3u);
  int back = target_.connections;
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > back; }, milliseconds(30)));
}

TEST_F(CheckerTest, TheFastIntervalIsNeverTheSlowerOne) {
  HealthCheckConfig config = rarely();
  config.interval = milliseconds(3);
  target_.reset_at_once = true;
  config.expect = "ok";
  checker_.watch(add(target_.address()), pool_of(config));
  ASSERT_TRUE(run_until_health(Health::unhealthy));
  EXPECT_TRUE(run_until_connections(4)) << "fast_interval is hours, interval is not";
}

TEST_F(CheckerTest, AServerThatDoesNotAnswerInTimeFails) {
  HealthCheckConfig config = rarely();
  config.timeout = milliseconds(20);
  config.expect = "ok";
  Server& server = add(target_.address());
  int64_t start_ms = monotonic_ms();
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_health(Health::unhealthy));
  EXPECT_GE(monotonic_ms(), start_ms + 10);
  EXPECT_EQ(seen_[0].transition.reason, "timeout");
  EXPECT_TRUE(run_until(loop_, [&] { return target_.client_closed; })) << "the probe ended";
}

TEST_F(CheckerTest, OneThatHangsDelaysNobodyElse) {
  HealthCheckConfig hanging = rarely();
  hanging.expect = "never said";
  checker_.watch(add(target_.address()), pool_of(hanging));
  ASSERT_TRUE(run_until_connections(1));
  Server& other = add(target_.address());
  checker_.watch(other, pool_of(rarely()));
  ASSERT_TRUE(run_until_health(Health::healthy));
  EXPECT_EQ(seen_[0].server, &other);
}

TEST_F(CheckerTest, CheckNowChecksNow) {
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(rarely()));
  ASSERT_TRUE(run_until_health(Health::healthy));
  checker_.check_now(server);
  EXPECT_TRUE(run_until_connections(2));
}

TEST_F(CheckerTest, CheckNowBeginsNoSecondProbe) {
  HealthCheckConfig config = rarely();
  config.expect = "never said";
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_connections(1));
  for (int i = 0; i < 10; ++i) checker_.check_now(server);
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > 1; }, milliseconds(20)));
}

TEST_F(CheckerTest, AfterACheckNowTheUsualOnesGoOn) {
  HealthCheckConfig config = rarely();
  config.interval = milliseconds(5);
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_health(Health::healthy));
  checker_.check_now(server);
  EXPECT_TRUE(run_until_connections(6));
}

TEST_F(CheckerTest, AServerThatNobodyWatchesIsNotChecked) {
  Server& server = add(target_.address());
  checker_.check_now(server);
  checker_.forget(server);
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > 0; }, milliseconds(10)));
}

TEST_F(CheckerTest, ForgettingEndsAProbeThatIsUnderWay) {
  HealthCheckConfig config = rarely();
  config.expect = "ok";
  config.timeout = milliseconds(500);
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_connections(1));
  checker_.forget(server);
  EXPECT_TRUE(run_until(loop_, [&] { return target_.client_closed; }));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return !seen_.empty(); }, milliseconds(600)));
}

TEST_F(CheckerTest, ForgettingEndsTheChecks) {
  HealthCheckConfig config = rarely();
  config.interval = milliseconds(2);
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_connections(2));
  checker_.forget(server);
  int before = target_.connections;
  // A connect that was under way may still be accepted.
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > before + 1; }, milliseconds(20)));
}

TEST_F(CheckerTest, ATransitionMayForgetItsServer) {
  on_transition_ = [this](Server& server) { checker_.forget(server); };
  HealthCheckConfig config = rarely();
  config.interval = milliseconds(1);
  checker_.watch(add(target_.address()), pool_of(config));
  ASSERT_TRUE(run_until_health(Health::healthy));
  config.timeout = milliseconds(5);
  config.expect = "never said";
  checker_.watch(add(target_.address()), pool_of(config));
  ASSERT_TRUE(run_until_health(Health::unhealthy));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > 2; }, milliseconds(20)));
}

TEST_F(CheckerTest, WatchingAgainByTheSameRulesChangesNothing) {
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(rarely()));
  ASSERT_TRUE(run_until_health(Health::healthy));
  for (int i = 0; i < 5; ++i) checker_.watch(server, pool_of(rarely()));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > 1; }, milliseconds(20)));
}

TEST_F(CheckerTest, NewRulesKeepTheStateAndTakeEffect) {
  Server& server = add(target_.address());
  checker_.watch(server, pool_of(rarely()));
  ASSERT_TRUE(run_until_health(Health::healthy));
  HealthCheckConfig config = rarely();
  config.interval = milliseconds(2);
  config.fast_interval = milliseconds(2);
  config.fall = 2;
  config.port = refusing_address().port();
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_health(Health::unhealthy));
  EXPECT_EQ(seen_.size(), 2u) << "it was healthy all the while";
  EXPECT_EQ(target_.connections, 1) << "the other port is checked now";
}

TEST_F(CheckerTest, NewRulesBeforeTheFirstResultDoNotDelayIt) {
  // So many that their first checks are spread over half a second.
  std::vector<Server*> all;
  for (int i = 0; i < 1'000; ++i) all.push_back(&add(refusing_address()));
  for (Server* server : all) checker_.watch(*server, pool_of(rarely()));
  HealthCheckConfig changed = rarely();
  changed.rise = 7;
  for (Server* server : all) checker_.watch(*server, pool_of(changed));
  EXPECT_TRUE(run_until(loop_, [&] { return seen_.size() == all.size(); }));
}

TEST_F(CheckerTest, NewRulesWhileAProbeIsUnderWayBeginNoSecondOne) {
  HealthCheckConfig config = rarely();
  config.expect = "ok";
  Server& server = add(target_.address());
  target_.pieces = {};
  checker_.watch(server, pool_of(config));
  ASSERT_TRUE(run_until_connections(1));
  config.interval = milliseconds(1);
  checker_.watch(server, pool_of(config));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return target_.connections > 1; }, milliseconds(20)));
}

TEST_F(CheckerTest, AnotherPortThanTheTraffics) {
  HealthCheckConfig config = rarely();
  config.port = target_.address().port();
  Address traffic = target_.address();
  traffic.set_port(refusing_address().port());
  checker_.watch(add(traffic), pool_of(config));
  ASSERT_TRUE(run_until_health(Health::healthy));
  EXPECT_EQ(target_.connections, 1);
}

TEST_F(CheckerTest, AnHttpCheckNamesTheHostThatTheConfigurationHas) {
  HealthCheckConfig config = rarely();
  config.type = CheckType::http;
  PoolConfig pool = pool_of(config);
  target_.pieces = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
  std::string port = std::to_string(target_.address().port());
  ServerConfig named;
  named.name = "app.example:" + port;
  named.host = "app.example";
  pool.servers = {ServerConfig(), named};
  checker_.watch(servers_.add(1, named.name + "/" + target_.address().to_string(),
                              target_.address().to_string()),
                 pool);
  ASSERT_TRUE(run_until_health(Health::healthy));
  EXPECT_THAT(target_.received, HasSubstr("\r\nHost: app.example:" + port + "\r\n"));
}

}  // namespace
}  // namespace lb
