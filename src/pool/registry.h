// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "config/config.h"
#include "pool/agent_wish.h"
#include "pool/ejection.h"
#include "pool/pool.h"
#include "pool/retry_budget.h"
#include "pool/server.h"
#include "pool/server_report.h"
#include "pool/server_state.h"
#include "pool/slow_start.h"

namespace lb {

// Every pool and server that the process knows, by name. A reload keeps the Server of an unchanged
// (pool, name, address) with its state and counters; one that is gone drains, and is freed when its
// work has ended and no pool that anybody holds has it any more. Pools are rebuilt only when
// something of theirs changed. Control thread.
class PoolRegistry {
 public:
  using Clock = std::function<int64_t()>;  // monotonic ms
  explicit PoolRegistry(size_t workers, Clock clock = monotonic_ms)
      : workers_(workers), clock_(std::move(clock)) {}
  ~PoolRegistry();
  PoolRegistry(const PoolRegistry&) = delete;
  PoolRegistry& operator=(const PoolRegistry&) = delete;

  using Addresses = std::vector<Address>;
  // What a host name stands for now; nothing while it has not been resolved.
  using Names = std::map<std::string, Addresses>;

  // What a change of membership did. The removed ones are no longer picked.
  struct Changes {
    std::vector<Server*> added;
    std::vector<Server*> removed;
  };

  // Brings the pools to `config`, host names to what `names` says. What is removed may finish its
  // open work until `drain_until_ms` (monotonic).
  Changes apply(const Config& config, const Names& names, int64_t drain_until_ms);

  // The contexts of pools that speak TLS to their servers; all others speak none.
  void set_tls(const std::map<std::string, std::shared_ptr<const TlsClientContext>>& contexts);

  // Makes the store that a pool with sticky.store shares the entries of `table` by.
  using MakeStore = std::function<std::shared_ptr<StickyStore>(const PoolConfig&,
                                                               std::shared_ptr<StickyTable> table)>;
  MakeStore make_store;

  // Told of every change of a server's status but its removal, which apply() returns.
  std::function<void(Server&, const StatusChange&)> on_status_changed;

  // What became known of a server, or is wanted of it; `reason` is for people. All of it is of no
  // interest for one that is removed, and health for one of a pool without checks.
  void set_health(Server& server, Health health, const std::string& reason);
  void set_overloaded(Server& server, bool overloaded, const std::string& reason);
  // What responses say of overload, as it stands at the server now; it may be one that was freed.
  void follow_response_overload(Server& server);
  void set_admin_state(Server& server, AdminState state, const std::string& reason);
  void set_agent_wish(Server& server, const AgentWish& wish, const std::string& reason);
  // Live traffic fails there: leaves the server out for a while, unless the pool has no
  // outlier_detection, too many are ejected already, or no other server is usable. `server` may be
  // one that was freed.
  void eject(Server& server);
  void note_check(const Server& server, CheckRecord record);

  // Ends the ejections that are over and overload that no response has confirmed of late, and lets
  // the shares of servers that start slowly grow.
  void advance();
  // When advance() will have something to do.
  std::optional<int64_t> next_advance_ms() const;

  ServerStatus status(const Server& server) const;
  // All servers as they stand, in the order of pools and configuration, then the removed ones that
  // still have work.
  std::vector<ServerReport> report(int64_t now_ms) const;
  // Who sticks to which server: of one pool, or of all with ""; at most so many, the latest first.
  // The total may count some that ended of late.
  struct Sticky {
    struct Entry {
      std::string pool;
      std::string server;
      StickyTable::View view;
    };
    uint64_t total = 0;
    std::vector<Entry> entries;
  };
  Sticky sticky(const std::string& pool, size_t at_most, int64_t now_ms) const;
  // The server that is called so, if it is not removed.
  Server* find(const std::string& pool, const std::string& name);

  // The pools as they stand; those that changed since the last call are new, the others the same
  // objects. One that is gone from the configuration stays, without servers, until the last work
  // of its servers has ended.
  std::map<std::string, std::shared_ptr<const Pool>> pools();
  bool dirty() const;

  // Frees what is removed, has no work left, and is in no pool that anybody still holds; likewise
  // pools that are gone.
  void collect();
  // Removed servers with work that is now to be ended; each is told once.
  std::vector<Server*> overdue(int64_t now_ms);

  // Calls `visit(pool, status, weight)` for every server that report() tells of.
  void for_each_status(
      const std::function<void(const std::string&, ServerStatus, uint32_t)>& visit) const;

  // Calls `visit(server, its pool's configuration)` for every server that is not removed.
  void for_each(const std::function<void(Server&, const PoolConfig&)>& visit) const;

 private:
  struct Entry {
    std::shared_ptr<Server> server;
    ServerConfig config;
  };
  // What is remembered of a server until it is freed.
  struct Record {
    ServerState state{unix_ms()};
    std::optional<CheckRecord> last_check;
    AgentWish wish;
    Ejection ejection;
    SlowStart slow_start;
    int64_t sticks_until_ms = INT64_MAX;  // once it drains
  };
  // A server that was freed while clients may be its own that must not have another.
  struct Gone {
    std::string name;
    Address address;
    uint32_t number;  // Server::number()
  };
  struct PoolState {
    explicit PoolState(size_t workers) : budget(workers) {}
    std::shared_ptr<const PoolConfig> config;
    LoadTable load;
    RetryBudget budget;
    std::shared_ptr<const TlsClientContext> tls;
    std::vector<Entry> entries;           // in the order of the configuration
    std::shared_ptr<StickyTable> sticky;  // null where nobody sticks
    std::shared_ptr<StickyStore> store;   // null where nothing is shared
    std::optional<StickyConfig> store_of;
    std::deque<Gone> gone;  // the latest last
    std::shared_ptr<const Pool> pool;
    // Shared with every Pool that was built of this.
    std::shared_ptr<const int> held = std::make_shared<const int>(0);
    bool dirty = true;
    bool is_dropped = false;  // from the configuration
  };
  struct Removed {
    std::shared_ptr<Server> server;
    ServerConfig config;
    PoolState* state;
    int64_t drain_until_ms;
    bool told = false;
  };

  void apply_pool(PoolState& state, const PoolConfig& config, const Names& names,
                  int64_t drain_until_ms, Changes& changes);
  bool is_over(const PoolState& state) const;
  void update_sticky(PoolState& state) const;
  void update_store(PoolState& state) const;
  std::shared_ptr<Server> take_back(const PoolState& state, const ServerConfig& config);
  static std::optional<uint32_t> take_gone(PoolState& state, const ServerConfig& config);
  std::shared_ptr<Server> make(PoolState& state, const ServerConfig& config,
                               std::optional<uint32_t> number);
  void remove(PoolState& state, Entry entry, int64_t drain_until_ms);
  static void leave_clients(PoolState& state, const Server& server);
  void begin_or_end_checks(PoolState& state, bool enabled);
  template <typename Change>
  void change(Server& server, const std::string& reason, Change change);
  ServerReport report(const Server& server, const ServerConfig& config, const PoolState& pool,
                      int64_t now_ms) const;
  bool may_eject(const PoolState& state, const OutlierConfig& rules) const;
  void end_ejection(Server& server, const std::string& reason);
  void end_ejections(PoolState& state);
  static std::optional<int64_t> trusted_from_ms(const Server& server, const Record& record,
                                                const PoolConfig& pool);
  void note_recovery(Record& record, const StatusChange& change, const PoolConfig& pool) const;
  bool any_starts_slowly(const PoolState& state) const;
  std::shared_ptr<const Pool> build(PoolState& state) const;

  const size_t workers_;
  const Clock clock_;
  std::chrono::milliseconds drain_timeout_{0};
  std::map<std::string, std::unique_ptr<PoolState>> states_;
  std::vector<Removed> removed_;
  std::unordered_map<const Server*, Record> records_;
};

}  // namespace lb
