// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "../loopback.h"
#include "../worker_rig.h"
#include "pool/connector.h"
#include "servers.h"

namespace lb {

// A pool of servers at addresses of this machine. The connects themselves fail or not as the test
// says: it is the owner who watches them.
class ConnectorTest : public testing::Test {
 protected:
  ConnectorTest() { config_->retries = {.attempts = 2}; }

  Server& add(const std::string& address) {
    Server& server = servers_.add(1, "s" + std::to_string(servers_.size()), address);
    members_.push_back({&server, ServerStatus::healthy, 1, kNoLimit, false});
    return server;
  }
  void add(size_t count) {
    for (size_t i = 0; i < count; ++i) add(listening_.address().to_string());
  }
  Pool pool() { return Pool(config_, members_, servers_.load(), budget_); }

  Connector::Step next(Connector& connector, const Pool& pool) {
    return connector.next(pool, rig_.context, 0);
  }
  // The try under way ends in `error`.
  Connector::Step fail(Connector& connector, const Pool& pool, int error = ECONNREFUSED) {
    connector.take_fd();
    return connector.failed(error, connector.take_lease(), pool, rig_.context, 0);
  }
  // The server that is being tried; it stays leased.
  static Server* trying(Connector& connector, Lease& lease) {
    lease = connector.take_lease();
    return lease.server();
  }
  void wait_until_ms(int64_t time_ms) {
    run_until(rig_.loop, [&] { return rig_.loop.now_ms() >= time_ms; });
  }
  void use_up_budget() {
    while (budget_.take(config_->retries.budget_percent, rig_.loop.now_ms())) {
    }
  }

  WorkerRig rig_;
  Listening listening_;
  Servers servers_{{}};
  std::vector<Member> members_;
  std::shared_ptr<PoolConfig> config_ = std::make_shared<PoolConfig>();
  RetryBudget budget_{1};
};

}  // namespace lb
