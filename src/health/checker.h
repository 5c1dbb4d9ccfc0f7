// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "config/config.h"
#include "health/probe.h"
#include "health/rise_fall.h"
#include "health/script_runner.h"
#include "net/event_loop.h"
#include "pool/server.h"

namespace lb {

// Checks servers: one jittered timer each, one probe at a time each, so that a slow or hanging
// server never delays another's check. Control thread.
class HealthChecker {
 public:
  struct Transition {
    Health from;
    Health to;
    std::string reason;
  };
  using Callback = std::function<void(Server&, const Transition&)>;

  // Without a process to run scripts in, checks of type script are not made.
  HealthChecker(EventLoop& loop, Callback on_transition, ScriptProcess scripts = {});
  // Told of every check that was made, before what it changes.
  std::function<void(const Server&, CheckRecord)> on_result;
  ~HealthChecker();

  // Begins to check a server, or goes on by new rules; the state it has stays.
  void watch(Server& server, const PoolConfig& pool);
  void forget(Server& server);
  // Live traffic failed to connect: check now instead of when its turn comes.
  void check_now(Server& server);

 private:
  class Check;

  EventLoop& loop_;
  Callback on_transition_;
  ScriptRunner scripts_;  // outlives the checks
  std::map<const Server*, std::unique_ptr<Check>> checks_;
  uint64_t random_state_;
};

}  // namespace lb
