// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/address.h"
#include "config/config.h"
#include "net/event_loop.h"

namespace lb {

struct ProbeResult {
  bool passed = false;
  bool made = true;    // false: this machine lacked the means, which says nothing about the server
  std::string detail;  // why it failed, or what was seen; for people
};

// One check of one server, under way. Calls back exactly once, never from start(), unless it is
// destroyed before, which ends it. It need not watch the time: its owner destroys it when it is
// late. Control thread; never blocks.
class Probe {
 public:
  using Callback = std::function<void(ProbeResult)>;
  virtual ~Probe() = default;
  virtual void start(Callback done) = 0;
};

// Connects; sends `send` and compares the answer with `expect` where they are given.
std::unique_ptr<Probe> make_tcp_probe(EventLoop& loop, const Address& address,
                                      const std::optional<Address>& source,
                                      const HealthCheckConfig& config);

}  // namespace lb
