// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/histogram.h"
#include "common/json.h"
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
  std::optional<int64_t> added_at;  // nothing while its name has no address
  uint64_t bytes_in = 0;            // from clients
  uint64_t bytes_out = 0;           // to clients
  uint64_t connect_failures = 0;
  uint64_t failures = 0;  // those, and connections that the server broke off before its first byte
  bool is_usable = true;  // for new work
  HistogramCounts latency;
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
  uint64_t total_connections = 0;
  uint64_t total_requests = 0;
  uint64_t datagrams_in = 0;
  uint64_t datagrams_out = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  std::vector<std::pair<std::string, uint64_t>> ended = {};    // connections, by reason
  std::vector<std::pair<std::string, uint64_t>> dropped = {};  // datagrams, by reason
  HistogramCounts connect = {};
  HistogramCounts first_byte = {};
  HistogramCounts duration = {};
  // Over http; status 0: the client was gone.
  struct Requests {
    std::string route;
    std::string pool;
    std::string server;
    int status = 0;
    uint64_t count = 0;
  };
  std::vector<Requests> requests = {};
  std::map<std::string, HistogramCounts> routes = {};
};

// The process as a whole.
struct ProcessView {
  std::string version;
  size_t workers = 0;
  int64_t started_at = 0;
  uint32_t connections = 0;  // open
  uint32_t most_connections = 0;
  uint64_t log_lines_lost = 0;
  uint64_t spans_lost = 0;                 // of the present collector
  uint64_t reloads = 0;                    // that worked, configurations sent to us included
  uint64_t failed_reloads = 0;             // that were refused
  double requests_per_second = 0;          // of the last ten seconds
  std::optional<double> response_ms = {};  // likewise; of ever, where there was none
  // Tokens that were checked, by verifier and by how they fared.
  std::map<std::string, std::map<std::string, uint64_t>> tokens = {};
};

// Something that happened, for those who listen.
struct EventView {
  enum class Kind { health, membership, reload };
  Kind kind = Kind::health;
  int64_t at = 0;
  std::string pool = {};    // empty: of none
  std::string server = {};  // likewise
  std::string from = {};    // empty: from nothing
  std::string to = {};
  std::string reason = {};
};

// A client that sticks to a server.
struct SessionView {
  std::string pool;
  uint64_t key = 0;  // a hash of what it is known by
  std::string server;
  int64_t last_used = 0;
  int64_t expires = 0;  // unless it is used
};

struct SessionsView {
  uint64_t total = 0;
  std::vector<SessionView> entries;  // the latest first
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

// The running configuration, with what lies over the file, as it may be shown.
struct ConfigView {
  Json config;
  std::string etag;  // other for every other configuration
};

// A configuration that is to take the file's place.
struct NewConfig {
  std::string text;  // YAML or JSON
  // Whether it may replace the configuration with this etag.
  std::function<bool(const std::string& etag)> may_replace;
};

enum class WantedState { ready, drain, maintenance };

// Why a change was refused: the status to answer with, words, and the path of the field that is to
// blame, if one is; of a configuration everything that is wrong with it.
struct Refusal {
  int status = 400;
  std::string message;
  std::string path = {};
  std::vector<ConfigProblem> problems = {};
  std::string file = {};  // that they are in; empty: what was sent
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
  virtual ProcessView process() const = 0;
  virtual std::vector<PoolView> pools() const = 0;
  virtual std::vector<ListenerView> listeners() const = 0;
  virtual std::vector<AlgorithmView> algorithms() const = 0;
  // In the order of the configuration, then those on their way out, then those whose name has no
  // address yet.
  virtual std::vector<ServerView> servers() const = 0;
  // How many of them have each status, which is much cheaper.
  virtual std::map<std::string, size_t> server_statuses() const = 0;
  // Of one pool, or of all with ""; at most so many entries. Nothing for an unknown pool.
  virtual std::optional<SessionsView> sessions(const std::string& pool, size_t at_most) const = 0;
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
  virtual ConfigView config() const = 0;
  // Drops what lies over the file; the next reload brings the file back.
  virtual void replace_config(const NewConfig& config, const Reply<ConfigView>& reply) = 0;
  // As SIGHUP does.
  virtual void reload(const Outcome& outcome) = 0;
};

}  // namespace lb::admin
