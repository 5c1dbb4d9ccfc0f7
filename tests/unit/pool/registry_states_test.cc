// SPDX-License-Identifier: MIT
#include "pool/registry.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "registry_rig.h"

namespace lb {
namespace {

TEST_F(RegistryTest, EveryInputTakesAServerOutOfItsGroupAndIsTold) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  Server& a = *find("web", "a");
  std::vector<std::string> told;
  registry_.on_status_changed = [&](const Server& changed, const StatusChange& change) {
    EXPECT_EQ(&changed, &a);
    told.push_back(
        fmt::format("{}>{}: {}", to_string(change.from), to_string(change.to), change.reason));
  };
  struct Row {
    std::function<void()> act;
    ServerStatus status;
    const char* told;  // null: nothing
  };
  const Row rows[] = {
      {[&] { registry_.set_health(a, Health::healthy, "connected"); }, ServerStatus::healthy,
       "unknown>healthy: connected"},
      {[&] { registry_.set_health(a, Health::healthy, "again"); }, ServerStatus::healthy, nullptr},
      {[&] { registry_.set_overloaded(a, true, "cpu 97%"); }, ServerStatus::overloaded,
       "healthy>overloaded: cpu 97%"},
      {[&] { registry_.set_admin_state(a, AdminState::drain, "by api"); }, ServerStatus::draining,
       "overloaded>draining: by api"},
      {[&] { registry_.set_overloaded(a, false, "cpu 20%"); }, ServerStatus::draining, nullptr},
      {[&] { registry_.set_admin_state(a, AdminState::maintenance, "by api"); },
       ServerStatus::maintenance, "draining>maintenance: by api"},
      {[&] { registry_.set_health(a, Health::unhealthy, "refused"); }, ServerStatus::maintenance,
       nullptr},
      {[&] { registry_.set_admin_state(a, AdminState::ready, "by api"); }, ServerStatus::unhealthy,
       "maintenance>unhealthy: by api"},
  };
  for (const Row& row : rows) {
    registry_.pools();
    told.clear();
    row.act();
    EXPECT_EQ(registry_.status(a), row.status);
    EXPECT_EQ(registry_.dirty(), row.told != nullptr);
    EXPECT_EQ(member("web", "a").status, row.status);
    EXPECT_EQ(told, row.told ? std::vector<std::string>{row.told} : std::vector<std::string>{});
  }
}

TEST_F(RegistryTest, OverloadInResponsesEndsWhenNoneConfirmsIt) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  config_.pools["web"].health_check.thresholds = {.cpu = 90};
  apply();
  Server& a = *find("web", "a");
  registry_.set_health(a, Health::healthy, "connected");
  auto answered = [&](double cpu, int64_t overloaded_ms) {
    a.reported.note({.cpu = cpu}, now_ms_);
    a.reported.note_overload(overloaded_ms);
    registry_.follow_response_overload(a);
  };
  answered(0.97, now_ms_);
  EXPECT_EQ(registry_.status(a), ServerStatus::overloaded);
  EXPECT_EQ(registry_.report(0).at(0).history.back().reason, "cpu 97 % is above 90 %");

  // Another one confirms it, and gives the usual pause: one second.
  now_ms_ += 1'000;
  answered(0.98, now_ms_);
  EXPECT_EQ(registry_.next_advance_ms(), now_ms_ + 3'000);
  now_ms_ += 2'999;
  registry_.advance();
  EXPECT_EQ(registry_.status(a), ServerStatus::overloaded);
  now_ms_ += 1;
  registry_.advance();
  EXPECT_EQ(registry_.status(a), ServerStatus::healthy);
  EXPECT_EQ(registry_.next_advance_ms(), std::nullopt);

  answered(0.99, now_ms_);
  EXPECT_EQ(registry_.status(a), ServerStatus::overloaded);
  answered(0.1, 0);
  EXPECT_EQ(registry_.status(a), ServerStatus::healthy);
}

TEST_F(OutlierRegistryTest, AnEjectedServerIsBackWhenItsTimeIsOver) {
  set_up(3, 50);
  registry_.eject(at(1));
  EXPECT_TRUE(ejected(1));
  EXPECT_EQ(member("web", "s1").status, ServerStatus::ejected);
  EXPECT_EQ(registry_.next_advance_ms(), now_ms_ + 1'000);
  EXPECT_EQ(at(1).next_trial_ms, now_ms_ + 1'000) << "before any worker has the snapshot";
  now_ms_ += 999;
  registry_.advance();
  EXPECT_TRUE(ejected(1));
  now_ms_ += 1;
  registry_.advance();
  EXPECT_EQ(registry_.status(at(1)), ServerStatus::healthy);
  EXPECT_TRUE(registry_.dirty());
  EXPECT_EQ(registry_.next_advance_ms(), now_ms_ + 1'000)
      << "no failure until then: no more trials";
  EXPECT_EQ(at(1).failures_in_a_row, 3u) << "one more failure is enough";
  EXPECT_EQ(at(1).next_trial_ms, now_ms_) << "from now on one tries it";
  auto history = registry_.report(0).at(1).history;
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].reason, "4 failures in a row, ejected for 1000 ms (ejection 1)");
  EXPECT_EQ(history[1].reason, "its ejection is over");

  registry_.eject(at(1));
  EXPECT_EQ(registry_.next_advance_ms(), now_ms_ + 2'000) << "the second one";
}

TEST_F(OutlierRegistryTest, WithoutAFailureTheTrialsEnd) {
  set_up(3, 50);
  registry_.eject(at(1));
  now_ms_ += 1'000;
  registry_.advance();
  at(1).next_trial_ms = now_ms_ + 700;  // somebody tries it
  EXPECT_EQ(registry_.next_advance_ms(), now_ms_ + 1'000);
  now_ms_ += 999;
  registry_.advance();
  EXPECT_NE(at(1).next_trial_ms, 0);
  now_ms_ += 1;
  registry_.advance();
  EXPECT_EQ(at(1).next_trial_ms, 0) << "it may be one that never says anything";
  EXPECT_EQ(registry_.next_advance_ms(), std::nullopt);
}

TEST_F(OutlierRegistryTest, OneThatIsAddedAgainNeedsNoTrial) {
  set_up(3, 50);
  Server& ejected = at(1);
  registry_.eject(ejected);
  EXPECT_NE(ejected.next_trial_ms, 0);
  auto servers = config_.pools["web"].servers;
  config_.pools["web"].servers.erase(config_.pools["web"].servers.begin() + 1);
  apply();
  config_.pools["web"].servers = servers;
  apply();
  ASSERT_EQ(&at(1), &ejected) << "it was not freed yet";
  EXPECT_EQ(ejected.next_trial_ms, 0);
}

TEST_F(OutlierRegistryTest, NoMoreThanMaxEjectedRoundedDown) {
  struct Row {
    size_t servers;
    uint32_t percent;
    size_t ejected;
  };
  for (Row row : {Row{1, 100, 0}, Row{2, 49, 0}, Row{2, 50, 1}, Row{3, 50, 1}, Row{3, 66, 1},
                  Row{3, 67, 2}, Row{10, 50, 5}, Row{10, 0, 0}, Row{3, 100, 2}}) {
    set_pool("web", {});
    apply();
    registry_.pools();
    registry_.collect();
    set_up(row.servers, row.percent);
    EXPECT_EQ(eject_all(row.servers), row.ejected) << row.servers << " at " << row.percent;
  }
}

TEST_F(OutlierRegistryTest, TheLastUsableServerIsNotEjected) {
  set_up(3, 100);
  registry_.set_admin_state(at(0), AdminState::maintenance, "by api");
  registry_.eject(at(1));
  EXPECT_TRUE(ejected(1));
  registry_.eject(at(2));
  EXPECT_FALSE(ejected(2));
}

TEST_F(OutlierRegistryTest, WhoIsOutAlreadyOrGoneIsNotEjected) {
  set_up(4, 100);
  Server& gone = at(3);
  config_.pools["web"].servers.pop_back();
  apply();
  registry_.set_admin_state(at(0), AdminState::drain, "by api");
  registry_.eject(at(0));
  registry_.eject(gone);
  EXPECT_EQ(registry_.status(at(0)), ServerStatus::draining);
  registry_.set_admin_state(at(0), AdminState::ready, "by api");
  EXPECT_EQ(registry_.status(at(0)), ServerStatus::healthy);
  EXPECT_EQ(registry_.status(gone), ServerStatus::draining);
  EXPECT_EQ(registry_.next_advance_ms(), std::nullopt);
}

TEST_F(OutlierRegistryTest, WithoutDetectionNobodyIsOrStaysEjected) {
  set_up(3, 100);
  registry_.eject(at(0));
  EXPECT_TRUE(ejected(0));
  at(1).next_trial_ms = now_ms_;  // is back, and tried
  config_.pools["web"].outlier_detection.reset();
  apply();
  EXPECT_EQ(registry_.status(at(0)), ServerStatus::healthy);
  EXPECT_EQ(at(0).next_trial_ms, 0);
  EXPECT_EQ(at(1).next_trial_ms, 0);
  registry_.eject(at(0));
  EXPECT_EQ(registry_.status(at(0)), ServerStatus::healthy);
}

TEST_F(RegistryTest, ARecoveredServersShareGrowsToFull) {
  ServerConfig b = server("b", "10.0.0.2:80");
  b.weight = 3;
  set_pool("web", {server("a", "10.0.0.1:80"), b});
  config_.pools["web"].slow_start = milliseconds(1'000);
  apply();
  Server& server_a = *find("web", "a");
  Server& server_b = *find("web", "b");
  registry_.set_health(server_a, Health::healthy, "checked");
  registry_.set_health(server_b, Health::healthy, "checked");
  EXPECT_EQ(member("web", "b").weight, 3u) << "not at the start";
  EXPECT_EQ(registry_.next_advance_ms(), std::nullopt);

  registry_.set_health(server_b, Health::unhealthy, "checked");
  registry_.set_health(server_b, Health::healthy, "checked");
  EXPECT_EQ(member("web", "a").weight, 100u);
  EXPECT_EQ(member("web", "b").weight, 15u) << "a twentieth of three times as much";
  EXPECT_EQ(registry_.next_advance_ms(), now_ms_ + 50);
  now_ms_ += 500;
  registry_.advance();
  EXPECT_EQ(member("web", "b").weight, 3u * 55u);
  now_ms_ += 500;
  registry_.advance();
  EXPECT_EQ(member("web", "a").weight, 1u);
  EXPECT_EQ(member("web", "b").weight, 3u);
  EXPECT_EQ(registry_.next_advance_ms(), std::nullopt);
}

TEST_F(RegistryTest, WhatCountsAsRecovered) {
  struct Row {
    const char* what;
    std::function<void(Server&)> leave;
    std::function<void(Server&)> come_back;
    Balance balance;
    bool slow;
  };
  auto down = [this](Server& s) { registry_.set_health(s, Health::unhealthy, "checked"); };
  auto up = [this](Server& s) { registry_.set_health(s, Health::healthy, "checked"); };
  auto admin = [this](AdminState state) {
    return [this, state](Server& s) { registry_.set_admin_state(s, state, "by api"); };
  };
  auto eject = [this](Server& s) { registry_.eject(s); };
  auto wait = [this](Server&) {
    now_ms_ += 1'000;
    registry_.advance();
  };
  const Row rows[] = {
      {"checks", down, up, Balance::round_robin, true},
      {"maintenance", admin(AdminState::maintenance), admin(AdminState::ready),
       Balance::least_connections, true},
      {"ejection", eject, wait, Balance::random, true},
      {"drained", admin(AdminState::drain), admin(AdminState::ready), Balance::round_robin, false},
      {"hashes are not scaled", down, up, Balance::hash, false},
      {"still down", down, admin(AdminState::ready), Balance::round_robin, false},
  };
  for (const Row& row : rows) {
    set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
    PoolConfig& pool = config_.pools["web"];
    pool.balance = row.balance;
    pool.slow_start = milliseconds(60'000);
    pool.outlier_detection = OutlierConfig{.eject_for = milliseconds(1'000)};
    apply();
    Server& a = *find("web", "a");
    up(a);
    up(*find("web", "b"));
    row.leave(a);
    row.come_back(a);
    EXPECT_EQ(member("web", "b").weight, row.slow ? 100u : 1u) << row.what;
    set_pool("web", {});
    apply();
    registry_.pools();
    registry_.collect();
  }
}

TEST_F(RegistryTest, WithChecksSwitchedOffServersAreHealthyAndOnAgainUnknown) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  Server& a = *find("web", "a");
  registry_.set_health(a, Health::unhealthy, "refused");
  config_.pools["web"].health_check.enabled = false;
  apply();
  EXPECT_EQ(registry_.status(a), ServerStatus::healthy);
  registry_.set_health(a, Health::unhealthy, "a check that was under way");
  EXPECT_EQ(registry_.status(a), ServerStatus::healthy);
  config_.pools["web"].health_check.enabled = true;
  apply();
  EXPECT_EQ(registry_.status(a), ServerStatus::unknown);
}

TEST_F(RegistryTest, AServerThatComesBackBeginsAnewButKeepsItsHistory) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  Server& a = *find("web", "a");
  registry_.set_health(a, Health::unhealthy, "refused");
  registry_.set_admin_state(a, AdminState::maintenance, "by api");
  set_pool("web", {});
  apply();
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  EXPECT_EQ(registry_.status(a), ServerStatus::unknown);
  auto report = registry_.report(1).at(0);
  ASSERT_EQ(report.history.size(), 4u);
  EXPECT_EQ(report.history[0].reason, "refused");
  EXPECT_EQ(report.history[2].reason, "removed");
  EXPECT_EQ(report.history[3].reason, "added again");
}

TEST_F(RegistryTest, ReportsEverythingOfEveryServer) {
  ServerConfig b = server("b", "10.0.0.2:80");
  b.weight = 4;
  b.max_connections = 9;
  b.backup = true;
  set_pool("web", {server("a", "10.0.0.1:80"), b});
  int64_t before_ms = unix_ms();
  apply();
  Server& a = *find("web", "a");
  a.active() = 3;
  a.cell(0).connections = 5;
  a.cell(1).connections = 6;
  a.cell(1).connect_failures = 2;
  a.cell(0).bytes_in = 10;
  a.cell(1).bytes_out = 20;
  a.latency.record(1'500, 1'000);
  registry_.set_health(a, Health::healthy, "connected");
  registry_.note_check(a, {before_ms, true, milliseconds(3), "connected"});
  set_pool("web", {b});
  apply();

  auto reports = registry_.report(1'000);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].name, "b");
  EXPECT_EQ(reports[0].weight, 4u);
  EXPECT_EQ(reports[0].max_connections, 9u);
  EXPECT_TRUE(reports[0].backup);
  EXPECT_EQ(reports[0].status, ServerStatus::unknown);
  EXPECT_FALSE(reports[0].last_check);
  const ServerReport& gone = reports[1];
  EXPECT_EQ(gone.id, server_id("web", "a"));
  EXPECT_EQ(gone.pool, "web");
  EXPECT_EQ(gone.name, "a");
  EXPECT_EQ(gone.address.to_string(), "10.0.0.1:80");
  EXPECT_EQ(gone.status, ServerStatus::draining) << "it still has work";
  EXPECT_EQ(gone.active, 3u);
  EXPECT_EQ(gone.connections, 11u);
  EXPECT_EQ(gone.connect_failures, 2u);
  EXPECT_EQ(gone.bytes_in, 10u);
  EXPECT_EQ(gone.bytes_out, 20u);
  EXPECT_EQ(gone.response_us, 1'500u);
  ASSERT_TRUE(gone.last_check);
  EXPECT_EQ(gone.last_check->detail, "connected");
  EXPECT_GE(gone.added_at_ms, before_ms);
  ASSERT_EQ(gone.history.size(), 2u);
  EXPECT_GE(gone.history[0].at_ms, before_ms);
  EXPECT_EQ(gone.history[0].reason, "connected");
  EXPECT_EQ(gone.history[1].reason, "removed");
  a.active() = 0;
}

TEST(ServerId, IsTheSameForeverAndAnotherForEveryPoolAndName) {
  EXPECT_EQ(server_id("web", "a"), server_id("web", "a"));
  EXPECT_EQ(server_id("web", "10.0.0.1:80").size(), 16u);
  std::set<std::string> ids = {server_id("web", "a"), server_id("web", "b"), server_id("we", "ba"),
                               server_id("weba", ""), server_id("a", "web")};
  EXPECT_EQ(ids.size(), 5u);
  // Kept by those who script against the API: it must not change with a version.
  EXPECT_EQ(server_id("web", "app1"), "c2e63d9af2260fc9");
}

}  // namespace
}  // namespace lb
