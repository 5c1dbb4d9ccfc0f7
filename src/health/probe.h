// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/address.h"
#include "config/health_check.h"
#include "net/event_loop.h"
#include "pool/agent_wish.h"
#include "pool/load_report.h"

namespace lb {

struct ProbeResult {
  bool passed = false;
  bool made = true;  // false: this machine lacked the means, which says nothing of the server
  std::string detail = {};  // why it failed, or what was seen; for people, one printable line
  bool decides = false;  // a failure that asking again cannot change: `fall` need not be waited for
  std::optional<LoadReport> load = {};
  std::optional<AgentWish> agent = {};
  std::optional<int64_t> certificate_ends_s = {};  // Unix time
};

// Whom a probe asks. Two checks whose targets and configurations are equal see the same.
struct ProbeTarget {
  Address address = {};                // with the port to check
  std::optional<Address> source = {};  // where to connect from, port 0
  std::string pool = {};
  std::string server = {};
  std::string host = {};  // the host name in the configuration; empty: it has none

  friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
};

class ScriptRunner;
class TlsClients;

// What the control thread has for probes to use. Outlives them.
struct ProbeMeans {
  EventLoop& loop;
  ScriptRunner* scripts = nullptr;  // for checks of type script
  TlsClients* tls = nullptr;        // for checks of type tls and https
};

// Checks one server again and again, one check at a time. It may keep what it has from one check to
// the next, such as a login. It need not watch the time: its owner cancels what is late. Control
// thread; never blocks.
class Probe {
 public:
  using Callback = std::function<void(ProbeResult)>;
  virtual ~Probe() = default;
  // Begins a check. Calls back once, never from within start(), unless cancel() or the end of the
  // probe comes first. The callback may call start() and cancel(); it must not destroy the probe.
  virtual void start(Callback done) = 0;
  // Ends a check that is under way, and what it would leave half done.
  virtual void cancel() = 0;
};

// A probe of the type that the configuration names.
std::unique_ptr<Probe> make_probe(const ProbeMeans& means, const ProbeTarget& target,
                                  const HealthCheckConfig& config);

}  // namespace lb
