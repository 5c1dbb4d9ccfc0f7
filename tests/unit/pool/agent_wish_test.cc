// SPDX-License-Identifier: MIT
#include "pool/agent_wish.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "pool/registry.h"

namespace lb {
namespace {

ServerConfig server(const std::string& name, const std::string& address) {
  ServerConfig config;
  config.name = name;
  config.address = *Address::parse(address);
  return config;
}

class AgentWishes : public testing::Test {
 protected:
  void set_pool(const std::string& name, std::vector<ServerConfig> servers) {
    config_.pools[name].name = name;
    config_.pools[name].servers = std::move(servers);
  }
  void apply() { registry_.apply(config_, {}, 1'000); }
  Member member(const std::string& pool, const std::string& name) {
    for (const Member& member : registry_.pools()[pool]->members()) {
      if (member.server->name() == name) return member;
    }
    return {};
  }

  Config config_;
  PoolRegistry registry_{2};
};

TEST_F(AgentWishes, HoldBesideTheOperators) {
  set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
  config_.pools["web"].servers[1].weight = 3;
  config_.pools["web"].servers[1].max_connections = 20;
  apply();
  Server& a = *registry_.find("web", "a");
  Server& b = *registry_.find("web", "b");
  for (Server* each : {&a, &b}) registry_.set_health(*each, Health::healthy, "test");
  EXPECT_EQ(member("web", "b").weight, 3u);

  registry_.set_agent_wish(b, {.weight_percent = 50, .max_connections = 10}, "test");
  EXPECT_EQ(member("web", "a").weight, 100u);
  EXPECT_EQ(member("web", "b").weight, 150u) << "half of three times as much";
  EXPECT_EQ(member("web", "b").limit, 10u);
  registry_.set_agent_wish(b, {.max_connections = 30}, "test");
  EXPECT_EQ(member("web", "b").limit, 20u) << "never above what is configured";
  EXPECT_EQ(member("web", "b").weight, 3u);

  registry_.set_agent_wish(a, {.state = AdminState::drain}, "test");
  EXPECT_EQ(registry_.status(a), ServerStatus::draining);
  registry_.set_admin_state(a, AdminState::maintenance, "test");
  EXPECT_EQ(registry_.status(a), ServerStatus::maintenance);
  registry_.set_agent_wish(a, {.state = AdminState::ready}, "test");
  EXPECT_EQ(registry_.status(a), ServerStatus::maintenance) << "the operator has not said so";
  registry_.set_admin_state(a, AdminState::ready, "test");
  EXPECT_EQ(registry_.status(a), ServerStatus::healthy);
}

TEST_F(AgentWishes, EndWithItsChecks) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  Server& a = *registry_.find("web", "a");
  registry_.set_agent_wish(a, {.state = AdminState::drain, .weight_percent = 0}, "test");
  EXPECT_EQ(member("web", "a").weight, 0u);
  config_.pools["web"].health_check.enabled = false;
  apply();
  EXPECT_EQ(registry_.status(a), ServerStatus::healthy);
  EXPECT_EQ(member("web", "a").weight, 1u);
}

}  // namespace
}  // namespace lb
