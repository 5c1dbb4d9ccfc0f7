// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "net/tls_context.h"
#include "pool/balancer.h"
#include "pool/retry_budget.h"
#include "pool/server.h"
#include "pool/server_state.h"
#include "pool/sticky_store.h"
#include "pool/sticky_table.h"

namespace lb {

// One server's part in a pool's snapshot.
struct Member {
  Server* server = nullptr;
  ServerStatus status = ServerStatus::unknown;
  uint32_t weight = 1;
  uint32_t limit = kNoLimit;
  bool backup = false;
  std::string host = {};                // the host name it was resolved from; "" = none
  int64_t sticks_until_ms = INT64_MAX;  // monotonic; while draining, its sticky clients may come
};

// What acquire() found when it grants no lease.
enum class NoServer {
  none_usable,  // no server in a usable state, or all of them tried
  all_full,     // usable servers exist, each at max_connections
};

// What a piece of work is known by.
struct WorkKey {
  WorkKey(uint64_t hashed = 0) : hash(hashed) {}
  explicit WorkKey(const StickyKey& key) : sticky(key) {}

  uint64_t hash = 0;                // for hash balancers
  std::optional<StickyKey> sticky;  // in pools with stickiness; absent: goes where balance says
};

// What one connection, over all its tries, wants from a pool. One worker.
struct Want {
  uint64_t key_hash = 0;
  uint64_t random = 0;
  int64_t now_ms = 0;
  std::vector<const Server*> tried;  // in this round; cleared by the caller to begin another
  // Of work that sticks; see Pool::bind().
  std::optional<uint64_t> sticky_hash;  // a key is placed by it
  bool has_home = false;   // it had a server; whoever takes its place is to stay the same
  Server* only = nullptr;  // nobody else will do
  uint32_t limit_of_only = kNoLimit;
  const Server* trial = nullptr;  // its own server, which it tries; see pool/outlier.h
};

// A pool as one snapshot knows it: who is in it, who may be picked, and how. Immutable; any thread.
//
// Candidates stand in groups, the first non-empty one wins: healthy, overloaded, unknown, then the
// same of the backups. Every other status and weight 0 are never picked. A full server stays in its
// group; backups do not relieve full servers. A server avoided after a failed connect is passed
// over unless nobody else is left; only when every server of a group was tried does the next group
// have its turn.
class Pool {
 public:
  // `load` and `budget` belong to the registry and outlive the pool.
  Pool(std::shared_ptr<const PoolConfig> config, std::vector<Member> members, LoadTable& load,
       RetryBudget& budget, std::shared_ptr<const TlsClientContext> tls = nullptr,
       std::shared_ptr<StickyTable> sticky = nullptr, std::shared_ptr<StickyStore> store = nullptr);

  const PoolConfig& config() const { return *config_; }
  const std::vector<Member>& members() const { return members_; }
  RetryBudget& budget() const { return budget_; }
  // Who waits for one of its servers.
  WaitLine& line() const { return line_; }
  // How many servers stand in the group that has its turn; 0: none is usable.
  uint32_t usable() const {
    return groups_.empty() ? 0 : static_cast<uint32_t>(groups_.front().candidates.size());
  }
  // The same servers under another balancer.
  std::shared_ptr<const Pool> with_balance(Balance balance, LoadMetric metric) const;
  bool needs_key() const;  // a hash balancer: Want::key_hash counts
  bool speaks_tls() const { return tls_ != nullptr; }
  const TlsClientContext* tls() const { return tls_.get(); }
  // TLS to one of its servers, over a socket that connects there; null where it speaks none.
  std::unique_ptr<TlsSession> open_tls(int fd, const Server& server) const;

  // This is a newer snapshot's: whoever waits may find a server now. At most kTriesPerServer for
  // each usable server go ahead until one of them was served.
  void let_waiters_try() const;

  // Whether work with a key stays with one server here.
  bool is_sticky() const { return config_->sticky.has_value(); }
  // Whom work with this key belongs to goes into `want`, whose `tried` and `now_ms` count. One that
  // cannot be reached just now is passed over, for this once. False: its server is gone, and it
  // must not have another.
  bool bind(const StickyKey& key, Want& want) const;
  // Where the key's server is, for whoever brings the key again.
  StickyHint hint(const StickyKey& key, int64_t now_ms) const;
  // Who is to be asked before work with this key gets a server: the key may be known elsewhere, and
  // here no server is that could have it. Null: nobody. `want` counts as for bind().
  StickyStore* store_to_ask(const WorkKey& key, const Want& want) const;
  // The server accepted the work: it is the key's from now on, if there is one, unless the key has
  // another that it can go back to.
  void stick(const WorkKey& key, const Server& server, int64_t now_ms) const;
  // Whether the key's own server is another than this and may serve it.
  bool is_away(const StickyKey& key, const Server& server, int64_t now_ms) const;
  // The key is nobody's any more.
  void unstick(const StickyKey& key) const;
  // The key was in use until now.
  void note_use(const WorkKey& key, int64_t now_ms) const;

  // Picks a server and counts one unit of work at it. Lock-free; exact across workers.
  Result<Lease, NoServer> acquire(const Want& want) const;

 private:
  static constexpr uint32_t kTriesPerServer = 10;

  struct Group {
    std::vector<Candidate> candidates;
    std::unique_ptr<Balancer> balancer;
    std::unique_ptr<Balancer> placement;  // of new sticky keys
  };

  std::vector<uint64_t> seeds_of_members() const;  // empty where nothing is hashed
  const Member* find(uint32_t number) const;
  void tell_use(const StickyKey& key, uint32_t server, int64_t now_ms) const;
  std::optional<uint32_t> number_of(const StickyKey& key, int64_t now_ms) const;

  std::shared_ptr<const PoolConfig> config_;
  std::vector<Member> members_;
  std::vector<Group> groups_;
  LoadTable& load_;
  RetryBudget& budget_;
  WaitLine& line_;
  std::shared_ptr<StickyTable> sticky_;
  std::shared_ptr<StickyStore> store_;  // null: nothing is shared with other balancers
  // Of a pool with stickiness: servers by number, with their index among the members.
  std::vector<std::pair<uint32_t, uint32_t>> numbers_;
  std::shared_ptr<const TlsClientContext> tls_;
};

}  // namespace lb
