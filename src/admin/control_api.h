// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "config/loader.h"

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
  std::string algorithm;
  std::vector<std::string> listeners;  // that use it
  size_t servers = 0;
  size_t usable_servers = 0;  // for new work
};

struct ListenerView {
  std::string name;
  std::string protocol;
  std::vector<std::string> addresses;
  std::set<std::string> pools;  // several where routes choose
  uint32_t active_connections = 0;
};

struct AlgorithmView {
  std::string name;
  std::vector<std::string> aliases;
};

// A server as POST /api/servers asks for it.
struct NewServer {
  std::string pool;  // empty: the only one
  std::string host;
  uint16_t port = 0;
  std::string name;  // empty: the address
  uint32_t weight = 1;
  bool backup = false;
  std::optional<std::string> check_path;  // an http check of its own
  std::optional<std::chrono::milliseconds> check_interval;
};

enum class WantedState { ready, drain, maintenance };

// Why a change was refused: the status to answer with, words, and the path of the field that is to
// blame, if one is; of a configuration everything that is wrong with it.
struct Refusal {
  int status = 400;
  std::string message;
  std::string path = {};
  std::vector<ConfigProblem> problems = {};
};

// Told once: when a change holds for every worker, or why it was refused.
template <typename T>
using Reply = std::function<void(const Result<T, Refusal>&)>;
using Outcome = Reply<Done>;

// Everything that the admin interface asks of the balancer.
class ControlApi {
 public:
  virtual ~ControlApi() = default;

  virtual int64_t uptime_ms() const = 0;
  virtual std::vector<PoolView> pools() const = 0;
  virtual std::vector<ListenerView> listeners() const = 0;
  virtual std::vector<AlgorithmView> algorithms() const = 0;
  // In the order of the configuration; those on their way out last.
  virtual std::vector<ServerView> servers() const = 0;
  // Nothing for an id that no server has.
  virtual std::optional<ServerHealthView> server_health(const std::string& id) const = 0;

  // Changes. Those of a server that is on its way out are refused.
  virtual void set_state(const std::string& id, WantedState state, const Outcome& outcome) = 0;
  virtual void set_weight(const std::string& id, uint32_t weight, const Outcome& outcome) = 0;
  // Told after the server's first check, whatever that says.
  virtual void add_server(const NewServer& server, const Reply<ServerView>& reply) = 0;
  // It drains.
  virtual void remove_server(const std::string& id, const Outcome& outcome) = 0;
  virtual void set_algorithm(const std::string& pool, const std::string& algorithm,
                             const Outcome& outcome) = 0;
  // As SIGHUP does.
  virtual void reload(const Outcome& outcome) = 0;
};

}  // namespace lb::admin
