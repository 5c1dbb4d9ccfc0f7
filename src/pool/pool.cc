// SPDX-License-Identifier: MIT
#include "pool/pool.h"

#include <algorithm>
#include <array>

#include "common/hash.h"
#include "pool/outlier.h"

namespace lb {

namespace {

// After so many picks that came to nothing, everything that may not be picked is excluded in one
// pass: a pool of a thousand full servers must not cost a thousand scans.
constexpr uint32_t kPicksBeforeSweep = 4;
// How often a choice that rests on a count is made anew because the count has changed. Each time
// another worker's pick has succeeded meanwhile, so that more than two are rare; after the last the
// server picked is taken as it stands.
constexpr uint32_t kRepicks = 16;

enum class Count { counted, full, changed };

// Adds one unit of work at the candidate. Relaxed: the count itself is all that is published. What
// a worker does for the server is ordered before its lease's release, which the reader of a zero
// (LoadTable::release_slot) acquires.
// The limit is kept by compare-and-swap: an addition that is taken back when it went too far would,
// for a moment, make others see a full server that is not.
Count count_one(Server& server, uint32_t limit, std::optional<uint32_t> seen) {
  LoadTable::Counter& active = server.active();
  if (!seen && limit == kNoLimit) {
    active.fetch_add(1, std::memory_order_relaxed);
    return Count::counted;
  }
  uint32_t current = seen ? *seen : active.load(std::memory_order_relaxed);
  // Who is told that it is full waits: it must see what was given back before (WaitLine).
  if (current >= limit) current = active.load(std::memory_order_seq_cst);
  while (current < limit) {
    if (active.compare_exchange_weak(current, current + 1, std::memory_order_seq_cst)) {
      return Count::counted;
    }
    // Less work than seen makes the choice no worse.
    if (seen && current > *seen) return Count::changed;
  }
  return Count::full;
}

bool is_full(const Candidate& candidate) {
  return candidate.server->active().load(std::memory_order_seq_cst) >= candidate.limit;
}

bool is_avoided(const Server& server, int64_t now_ms) {
  return server.avoid_until_ms.load(std::memory_order_relaxed) > now_ms;
}

bool is_tried(const Server& server, const Want& want) {
  return std::find(want.tried.begin(), want.tried.end(), &server) != want.tried.end();
}

// Whether work goes elsewhere than to the server that it sticks to, as long as there is another.
bool passes_over_home(Server& home, Want& want) {
  if (is_tried(home, want) || is_avoided(home, want.now_ms)) return true;
  if (want.trial == &home) return false;  // bound again, after a wait
  if (!take_trial(home, want.now_ms)) return true;
  if (awaits_trial(home, want.now_ms)) want.trial = &home;  // for all others: this is it
  return false;
}

// Whether it serves those who stick to it, by its state.
bool takes_its_own(const Member& member, int64_t now_ms) {
  if (member.status == ServerStatus::draining) return now_ms < member.sticks_until_ms;
  return is_usable(member.status);
}

void exclude(Exclusions& excluded, const std::vector<Candidate>& candidates,
             const std::vector<const Server*>& tried) {
  for (const Server* server : tried) {
    auto is_it = [&](const Candidate& candidate) { return candidate.server == server; };
    auto found = std::find_if(candidates.begin(), candidates.end(), is_it);
    if (found != candidates.end()) {
      excluded.add(static_cast<uint32_t>(found - candidates.begin()));
    }
  }
}

// One look for a server in one group: what it met on its way tells whether there is more to do.
class Search {
 public:
  Search(const Balancer& balancer, const std::vector<Candidate>& candidates, const Want& want,
         bool pass_over_avoided)
      : balancer_(balancer),
        candidates_(candidates),
        want_(want),
        pass_over_avoided_(pass_over_avoided) {}

  bool met_full() const { return met_full_; }
  bool met_avoided() const { return met_avoided_; }

  // A server whose work counts one unit more now, or none.
  Server* run(Exclusions& excluded) {
    uint32_t obstacles = 0;
    uint32_t repicks = 0;
    for (uint64_t round = 0;; ++round) {
      PickContext context{want_.sticky_hash.value_or(want_.key_hash), mix64(want_.random + round),
                          want_.now_ms, want_.has_home};
      auto pick = balancer_.pick(context, excluded);
      if (!pick) return nullptr;
      const Candidate& candidate = candidates_[pick->index];
      if (!takes(pick->index, excluded)) {
        if (++obstacles == kPicksBeforeSweep) sweep(excluded);
        continue;
      }
      if (repicks == kRepicks) pick->seen.reset();
      switch (count_one(*candidate.server, candidate.limit, pick->seen)) {
        case Count::counted:
          return candidate.server;
        case Count::changed:
          ++repicks;
          break;
        case Count::full:
          met_full_ = true;
          excluded.add(pick->index);
          if (++obstacles == kPicksBeforeSweep) sweep(excluded);
          break;
      }
    }
  }

 private:
  // Excludes the candidate unless it may be used as far as avoiding goes.
  bool passes(uint32_t index, Exclusions& excluded) {
    if (!pass_over_avoided_ || index == trial_) return true;
    const Server& server = *candidates_[index].server;
    bool is_out = is_avoided(server, want_.now_ms) || awaits_trial(server, want_.now_ms);
    return !is_out || pass_over(index, excluded);
  }

  // The same, for who is about to use it: one that is not trusted is then this search's to try.
  bool takes(uint32_t index, Exclusions& excluded) {
    if (!pass_over_avoided_ || index == trial_) return true;
    Server& server = *candidates_[index].server;
    bool is_out = is_avoided(server, want_.now_ms) || !take_trial(server, want_.now_ms);
    if (is_out) return pass_over(index, excluded);
    trial_ = index;
    return true;
  }

  bool pass_over(uint32_t index, Exclusions& excluded) {
    met_avoided_ = true;
    excluded.add(index);
    return false;
  }

  void sweep(Exclusions& excluded) {
    for (uint32_t i = 0; i < candidates_.size(); ++i) {
      if (excluded.contains(i) || !passes(i, excluded) || !is_full(candidates_[i])) continue;
      met_full_ = true;
      excluded.add(i);
    }
  }

  const Balancer& balancer_;
  const std::vector<Candidate>& candidates_;
  const Want& want_;
  const bool pass_over_avoided_;
  bool met_full_ = false;
  bool met_avoided_ = false;
  std::optional<uint32_t> trial_;
};

// The place of a member's group in the order of preference, or none.
std::optional<size_t> rank(const Member& member) {
  if (member.weight == 0) return {};
  size_t first = member.backup ? 3 : 0;
  switch (member.status) {
    case ServerStatus::healthy:
      return first;
    case ServerStatus::overloaded:
      return first + 1;
    case ServerStatus::unknown:
      return first + 2;
    case ServerStatus::unhealthy:
    case ServerStatus::ejected:
    case ServerStatus::draining:
    case ServerStatus::maintenance:
      return {};
  }
  return {};
}

constexpr size_t kRanks = 6;

}  // namespace

Pool::Pool(std::shared_ptr<const PoolConfig> config, std::vector<Member> members, LoadTable& load,
           RetryBudget& budget, std::shared_ptr<const TlsClientContext> tls,
           std::shared_ptr<StickyTable> sticky, std::shared_ptr<StickyStore> store)
    : config_(std::move(config)),
      members_(std::move(members)),
      load_(load),
      budget_(budget),
      line_(load.line()),
      sticky_(std::move(sticky)),
      store_(std::move(store)),
      tls_(std::move(tls)) {
  std::array<std::vector<Candidate>, kRanks> ranks;
  std::vector<uint64_t> seeds = seeds_of_members();
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    auto place = rank(member);
    if (!place) continue;
    uint64_t seed = seeds.empty() ? 0 : seeds[i];
    ranks[*place].push_back({member.server, member.weight, member.limit, seed});
  }
  for (auto& candidates : ranks) {
    if (candidates.empty()) continue;
    auto balancer = make_balancer(*config_, candidates, load.cursor());
    auto placement = sticky_ ? make_bounded_hash(candidates) : nullptr;
    groups_.push_back({std::move(candidates), std::move(balancer), std::move(placement)});
  }
  if (!is_sticky()) return;
  for (uint32_t i = 0; i < members_.size(); ++i) {
    numbers_.emplace_back(members_[i].server->number(), i);
  }
  std::sort(numbers_.begin(), numbers_.end());
}

std::shared_ptr<const Pool> Pool::with_balance(Balance balance, LoadMetric metric) const {
  auto config = std::make_shared<PoolConfig>(*config_);
  config->balance = balance;
  config->load_metric = metric;
  return std::make_shared<const Pool>(std::move(config), members_, load_, budget_, tls_, sticky_,
                                      store_);
}

bool Pool::needs_key() const {
  return is_hash(config_->balance);
}

std::vector<uint64_t> Pool::seeds_of_members() const {
  if (!needs_key() && !sticky_) return {};
  // Over the members of all groups, so that a change of status gives no server another seed.
  std::vector<const Server*> servers;
  servers.reserve(members_.size());
  for (const Member& member : members_) servers.push_back(member.server);
  return hash_seeds(servers);
}

void Pool::let_waiters_try() const {
  if (usable() > 0 && line_.waiting() > 0) line_.let_try(kTriesPerServer * usable());
}

std::unique_ptr<TlsSession> Pool::open_tls(int fd, const Server& server) const {
  if (!tls_) return nullptr;
  auto member = std::find_if(members_.begin(), members_.end(),
                             [&](const Member& known) { return known.server == &server; });
  bool has_host = member != members_.end() && !member->host.empty();
  // A unix socket has no name: one must be configured for it to be verified.
  std::string address = server.address().is_ip() ? server.address().ip_string() : std::string();
  return tls_->open(fd, has_host ? member->host : address, server.address().to_string());
}

const Member* Pool::find(uint32_t number) const {
  auto found = std::lower_bound(numbers_.begin(), numbers_.end(), std::pair(number, uint32_t{0}));
  if (found == numbers_.end() || found->first != number) return nullptr;
  return &members_[found->second];
}

std::optional<uint32_t> Pool::number_of(const StickyKey& key, int64_t now_ms) const {
  if (key.server || !sticky_) return key.server;
  return sticky_->find(key, now_ms);
}

bool Pool::bind(const StickyKey& key, Want& want) const {
  want.only = nullptr;
  want.sticky_hash.reset();
  if (!key.server && sticky_) want.sticky_hash = key.hash;
  auto number = number_of(key, want.now_ms);
  want.has_home = number.has_value();
  if (!number) return true;
  tell_use(key, *number, want.now_ms);
  const Member* member = find(*number);
  bool may_move = config_->sticky->fallback == StickyFallback::rebalance;
  if (member == nullptr || !takes_its_own(*member, want.now_ms)) return may_move;
  if (may_move && passes_over_home(*member->server, want)) return true;
  want.only = member->server;
  want.limit_of_only = member->limit;
  return true;
}

StickyHint Pool::hint(const StickyKey& key, int64_t now_ms) const {
  if (!sticky_) return {};
  StickyHint hint = sticky_->hint(key, now_ms);
  if (hint != StickyHint()) tell_use(key, hint.server, now_ms);
  return hint;
}

// To the store, now and then; never where a hint said that there is no need to look at the entry.
void Pool::tell_use(const StickyKey& key, uint32_t server, int64_t now_ms) const {
  if (!store_ || sticky_->is_good(key.hint, key.hash, now_ms)) return;
  if (sticky_->take_due(key.hash, now_ms)) store_->tell(key, server);
}

bool Pool::is_away(const StickyKey& key, const Server& server, int64_t now_ms) const {
  auto number = number_of(key, now_ms);
  const Member* home = number ? find(*number) : nullptr;
  return home != nullptr && home->server != &server && takes_its_own(*home, now_ms);
}

void Pool::stick(const WorkKey& key, const Server& server, int64_t now_ms) const {
  // A server of another pool's, or another kind of key, after a reload, means nothing here.
  if (!sticky_ || !key.sticky || key.sticky->server || server.pool() != config_->name) return;
  if (is_away(*key.sticky, server, now_ms)) return;
  auto change = sticky_->put(*key.sticky, server.number(), now_ms);
  if (!store_ || change == StickyTable::Change::none) return;
  bool has_moved = change == StickyTable::Change::moved;
  has_moved ? store_->tell_move(*key.sticky, server.number())
            : store_->tell(*key.sticky, server.number());
}

StickyStore* Pool::store_to_ask(const WorkKey& key, const Want& want) const {
  if (!store_ || !key.sticky || !store_->is_up()) return nullptr;
  auto number = sticky_->find(*key.sticky, want.now_ms);
  const Member* member = number ? find(*number) : nullptr;
  return member != nullptr && takes_its_own(*member, want.now_ms) ? nullptr : store_.get();
}

void Pool::unstick(const StickyKey& key) const {
  if (sticky_) sticky_->erase(key.hash);
  if (store_) store_->forget(key.hash);
}

void Pool::note_use(const WorkKey& key, int64_t now_ms) const {
  if (sticky_ && key.sticky) sticky_->find(*key.sticky, now_ms);
}

Result<Lease, NoServer> Pool::acquire(const Want& want) const {
  if (want.only != nullptr) {
    if (is_tried(*want.only, want)) return Unexpected{NoServer::none_usable};
    bool counted = count_one(*want.only, want.limit_of_only, {}) == Count::counted;
    if (counted) return Lease(want.only);
    return Unexpected{NoServer::all_full};
  }
  // Kept between calls for its memory alone: no allocation on the usual path.
  thread_local Exclusions excluded;
  for (const Group& group : groups_) {
    excluded.clear();
    exclude(excluded, group.candidates, want.tried);
    const Balancer& balancer = want.sticky_hash ? *group.placement : *group.balancer;
    Search search(balancer, group.candidates, want, true);
    if (Server* server = search.run(excluded)) return Lease(server);
    bool full = search.met_full();
    if (search.met_avoided()) {
      excluded.clear();
      exclude(excluded, group.candidates, want.tried);
      Search last_resort(balancer, group.candidates, want, false);
      if (Server* server = last_resort.run(excluded)) return Lease(server);
      full = full || last_resort.met_full();
    }
    if (full) return Unexpected{NoServer::all_full};
  }
  return Unexpected{NoServer::none_usable};
}

}  // namespace lb
