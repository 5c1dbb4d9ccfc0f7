// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "../pool/servers.h"
#include "fake_server.h"
#include "health/checker.h"

namespace lb {

inline PoolConfig pool_of(const HealthCheckConfig& check) {
  PoolConfig pool;
  pool.health_check = check;
  return pool;
}

// Checks that come of themselves only once: what comes after that the test has asked for.
inline HealthCheckConfig rarely() {
  HealthCheckConfig config;
  config.interval = std::chrono::hours(10);
  config.fast_interval = std::chrono::hours(10);
  config.timeout = std::chrono::seconds(20);
  return config;
}

class CheckerTest : public testing::Test {
 protected:
  struct Seen {
    const Server* server;
    HealthChecker::Transition transition;
  };

  Server& add(const Address& address) {
    return servers_.add(1, "s" + std::to_string(servers_.size()), address.to_string());
  }
  Health health() const { return seen_.empty() ? Health::unknown : seen_.back().transition.to; }
  bool run_until_health(Health expected) {
    return run_until(loop_, [&] { return health() == expected; });
  }
  bool run_until_connections(int count) {
    return run_until(loop_, [&] { return target_.connections >= count; });
  }

  EventLoop loop_;
  FakeServer target_{loop_};
  Servers servers_{{}};
  std::vector<Seen> seen_;
  std::function<void(Server&)> on_transition_ = [](Server&) {};
  HealthChecker checker_{loop_, [this](Server& server, const HealthChecker::Transition& to) {
                           seen_.push_back({&server, to});
                           on_transition_(server);
                         }};
};

}  // namespace lb
