// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/address.h"
#include "config/config.h"
#include "health/probe.h"
#include "health/rise_fall.h"
#include "health/script_runner.h"
#include "health/tls_clients.h"
#include "net/event_loop.h"
#include "pool/server.h"
#include "pool/server_state.h"

namespace lb {

// Checks servers: one jittered timer each, one probe at a time each, so that a slow or hanging
// server never delays another's check. Servers of several pools that are to be checked alike, at
// one address, are checked once. Control thread.
class HealthChecker {
 public:
  struct Transition {
    Health from;
    Health to;
    std::string reason;
  };
  using Callback = std::function<void(Server&, const Transition&)>;

  // Callbacks come from the loop, never from within watch(), and may watch and forget servers.
  // Without a process to run scripts in, checks of type script are not made.
  HealthChecker(EventLoop& loop, Callback on_transition, ScriptProcess scripts = {});
  // Told of every check that was made, before what it changes; of a server that joins others, of
  // the last one made of them.
  std::function<void(const Server&, CheckRecord)> on_result;
  // The load that a server reports rose above a threshold, or fell 5 points below all of them.
  std::function<void(Server&, bool overloaded, const std::string& reason)> on_overload;
  // An agent wants something else than before.
  std::function<void(Server&, const AgentWish&, const std::string& reason)> on_agent;
  ~HealthChecker();

  // Begins to check a server, or goes on by new rules; the state it has stays.
  void watch(Server& server, const PoolConfig& pool);
  void forget(Server& server);
  // Live traffic failed to connect: check now instead of when its turn comes.
  void check_now(Server& server);

 private:
  class Check;
  // What a server's pool has been told of it.
  struct Watched {
    Check* check = nullptr;
    Health health = Health::unknown;
    bool overloaded = false;
    AgentWish wish = {};
  };

  using Checks = std::multimap<Address, std::unique_ptr<Check>>;

  Checks::iterator find(const ProbeTarget& target, const HealthCheckConfig& config);
  Checks::iterator place_of(const Check& check);
  void leave(Server& server, Watched& watched);
  void tell(Server& server);
  void tell_newcomers();

  EventLoop& loop_;
  Callback on_transition_;
  ScriptRunner scripts_;  // these two outlive the checks
  TlsClients tls_;
  std::map<Server*, Watched> watched_;
  Checks checks_;                   // by the address that they go to
  std::vector<Server*> newcomers_;  // that joined a check with results
  Timer tell_newcomers_;
  uint64_t random_state_;
};

}  // namespace lb
