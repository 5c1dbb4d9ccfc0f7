// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace lb::admin {

// What the admin interface sees of the running balancer and what it can do to it. Process
// implements it; all of it on the control thread. Views are values, as things were when asked.

// Points in time are Unix time in milliseconds.
struct ServerView {
  std::string id;  // for good, over reloads and restarts
  std::string name;
  std::string pool;
  std::string host;  // an IP address, or the path of a unix socket
  uint16_t port = 0;
  uint32_t weight = 1;
  bool backup = false;
  std::string status;  // healthy unhealthy unknown overloaded draining maintenance ejected
  uint32_t active_connections = 0;
  uint64_t total_requests = 0;  // over tcp: connections
  std::optional<double> response_ms;
  std::optional<double> load;  // 0..1
  std::optional<int64_t> last_check_at;
  int64_t added_at = 0;
};

struct CheckView {
  int64_t at = 0;
  bool passed = false;
  int64_t duration_ms = 0;
  std::string detail;
};

struct StatusChangeView {
  int64_t at = 0;
  std::string from;
  std::string to;
  std::string reason;
};

struct ServerHealthView {
  std::string status;
  std::optional<CheckView> last_check;
  std::vector<StatusChangeView> history;  // the oldest first
};

struct PoolView {
  std::string name;
  bool is_used = false;    // by a listener
  bool is_usable = false;  // has a server for new work
};

enum class WantedState { ready, drain, maintenance };

// Told once when a change holds for every worker, or why it was refused.
using Outcome = std::function<void(Status<>)>;

// Everything that the admin interface asks of the balancer.
class ControlApi {
 public:
  virtual ~ControlApi() = default;

  virtual int64_t uptime_ms() const = 0;
  virtual std::vector<PoolView> pools() const = 0;
  // In the order of the configuration; those on their way out last.
  virtual std::vector<ServerView> servers() const = 0;
  // Nothing for an id that no server has.
  virtual std::optional<ServerHealthView> server_health(const std::string& id) const = 0;
  // Of a server that servers() lists; fails for one that is on its way out.
  virtual void set_state(const std::string& id, WantedState state, Outcome done) = 0;
};

}  // namespace lb::admin
