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
