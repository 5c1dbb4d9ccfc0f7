// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "admin/control_api.h"

namespace lb::admin {

// A balancer that is nothing but what a test says.
class FakeControl final : public ControlApi {
 public:
  FakeControl() {
    pool_views = {{"web", true, true}, {"db", true, true}, {"spare", false, false}};
    for (const char* name : {"a", "b"}) {
      ServerView server;
      server.id = std::string(15, '0') + name;
      server.name = name;
      server.pool = "web";
      server.host = "10.0.0.1";
      server.port = 8080;
      server.status = "healthy";
      server_views.push_back(server);
    }
    server_views[1].pool = "db";
  }

  int64_t uptime_ms() const override { return 1234; }
  std::vector<PoolView> pools() const override { return pool_views; }
  std::vector<ServerView> servers() const override { return server_views; }
  std::optional<ServerHealthView> server_health(const std::string& id) const override {
    auto found = health.find(id);
    return found == health.end() ? std::nullopt : std::optional(found->second);
  }
  void set_state(const std::string& id, WantedState state, Outcome done) override {
    if (!refusal.empty()) return done(fail(refusal));
    states.emplace_back(id, state);
    done(Done{});
  }

  std::vector<PoolView> pool_views;
  std::vector<ServerView> server_views;
  std::map<std::string, ServerHealthView> health;
  std::string refusal;
  std::vector<std::pair<std::string, WantedState>> states;
};

}  // namespace lb::admin
