// SPDX-License-Identifier: MIT
#include "pool/registry.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "pool/overload.h"

namespace lb {

namespace {

// The servers that an entry of the configuration stands for: itself, or one per address.
std::vector<ServerConfig> expand(const ServerConfig& written, const PoolRegistry::Names& names) {
  if (written.host.empty()) return {written};
  std::vector<ServerConfig> servers;
  auto known = names.find(written.host);
  if (known == names.end()) return servers;
  for (Address address : known->second) {
    ServerConfig server = written;
    address.set_port(written.address.port());
    server.address = address;
    server.name = written.name + "/" + address.to_string();
    servers.push_back(std::move(server));
  }
  return servers;
}

// Where nobody checks, a server is healthy from the start.
ServerFacts first_facts(const PoolConfig& config) {
  return {.health = config.health_check.enabled ? Health::unknown : Health::healthy};
}

// A pool keeps its servers: sessions of a removed listener go on with the pool they have.
struct OwningPool {
  std::shared_ptr<const void> state;
  std::vector<std::shared_ptr<Server>> servers;
  Pool pool;
};

}  // namespace

PoolRegistry::~PoolRegistry() = default;

PoolRegistry::Changes PoolRegistry::apply(const Config& config, const Names& names,
                                          int64_t drain_until_ms) {
  Changes changes;
  drain_timeout_ = config.runtime.drain_timeout;
  for (auto& [name, state] : states_) {
    if (config.pools.contains(name)) continue;
    state->is_dropped = true;
    PoolConfig without_servers = *state->config;
    without_servers.servers.clear();
    if (without_servers.sticky) without_servers.sticky->store.reset();
    apply_pool(*state, without_servers, names, drain_until_ms, changes);
  }
  for (const auto& [name, pool] : config.pools) {
    auto& state = states_[name];
    if (!state) state = std::make_unique<PoolState>(workers_);
    if (std::exchange(state->is_dropped, false)) state->dirty = true;
    apply_pool(*state, pool, names, drain_until_ms, changes);
  }
  return changes;
}

void PoolRegistry::apply_pool(PoolState& state, const PoolConfig& config, const Names& names,
                              int64_t drain_until_ms, Changes& changes) {
  size_t changes_before = changes.added.size() + changes.removed.size();
  bool was_checked = state.config && state.config->health_check.enabled;
  bool same_config = state.config && *state.config == config;
  if (!same_config) state.config = std::make_shared<const PoolConfig>(config);
  if (!same_config) update_sticky(state);
  std::vector<Entry> before = std::move(state.entries);
  state.entries.clear();
  for (const ServerConfig& written : config.servers) {
    for (ServerConfig& server : expand(written, names)) {
      auto same = std::find_if(before.begin(), before.end(), [&](const Entry& entry) {
        return entry.server && entry.config.name == server.name &&
               entry.config.address == server.address;
      });
      Entry entry;
      if (same != before.end()) {
        entry.server = std::move(same->server);
      } else {
        auto number = take_gone(state, server);
        entry.server = take_back(state, server);
        if (!entry.server) entry.server = make(state, server, number);
        changes.added.push_back(entry.server.get());
      }
      entry.config = std::move(server);
      state.entries.push_back(std::move(entry));
    }
  }
  for (Entry& entry : before) {
    if (!entry.server) continue;
    changes.removed.push_back(entry.server.get());
    remove(state, std::move(entry), drain_until_ms);
  }
  update_store(state);
  bool same_members = changes.added.size() + changes.removed.size() == changes_before;
  if (same_members && same_config) return;
  state.dirty = true;
  bool is_checked = config.health_check.enabled;
  if (was_checked != is_checked) begin_or_end_checks(state, is_checked);
  if (!config.outlier_detection) end_ejections(state);
}

std::shared_ptr<Server> PoolRegistry::make(PoolState& state, const ServerConfig& config,
                                           std::optional<uint32_t> number) {
  auto server = std::make_shared<Server>(state.config->name, config.name, config.address,
                                         state.load, workers_, number);
  records_[server.get()].state.begin(first_facts(*state.config));
  return server;
}

// One that is back before it was freed goes on with its work and its counts.
std::shared_ptr<Server> PoolRegistry::take_back(const PoolState& state,
                                                const ServerConfig& config) {
  auto same = std::find_if(removed_.begin(), removed_.end(), [&](const Removed& removed) {
    return removed.state == &state && removed.server->name() == config.name &&
           removed.server->address() == config.address;
  });
  if (same == removed_.end()) return nullptr;
  std::shared_ptr<Server> server = std::move(same->server);
  removed_.erase(same);
  Record& record = records_.at(server.get());
  record.wish = {};
  server->next_trial_ms.store(0, std::memory_order_relaxed);
  record.state.update(first_facts(*state.config), "added again", unix_ms());
  return server;
}

void PoolRegistry::remove(PoolState& state, Entry entry, int64_t drain_until_ms) {
  if (state.sticky) leave_clients(state, *entry.server);
  ServerState& removed = records_.at(entry.server.get()).state;
  ServerFacts facts = removed.facts();
  facts.removed = true;
  removed.update(facts, "removed", unix_ms());
  removed_.push_back({std::move(entry.server), std::move(entry.config), &state, drain_until_ms});
}

void PoolRegistry::begin_or_end_checks(PoolState& state, bool enabled) {
  for (const Entry& entry : state.entries) {
    if (!enabled) records_.at(entry.server.get()).wish = {};
    change(*entry.server, enabled ? "checks are on" : "checks are off", [&](ServerFacts& facts) {
      facts.health = enabled ? Health::unknown : Health::healthy;
      if (enabled) return;
      facts.overloaded = false;
      facts.overloaded_in_responses = false;
      facts.agent = AdminState::ready;
    });
  }
}

void PoolRegistry::end_ejections(PoolState& state) {
  for (const Entry& entry : state.entries) {
    const ServerState& each = records_.at(entry.server.get()).state;
    if (each.facts().ejected) end_ejection(*entry.server, "outlier_detection is off");
    entry.server->next_trial_ms.store(0, std::memory_order_relaxed);
  }
}

template <typename Change>
void PoolRegistry::change(Server& server, const std::string& reason, Change change) {
  auto record = records_.find(&server);
  if (record == records_.end()) return;
  ServerState& state = record->second.state;
  ServerFacts facts = state.facts();
  if (facts.removed) return;
  change(facts);
  auto changed = state.update(facts, reason, unix_ms());
  if (!changed) return;
  PoolState& pool = *states_.at(server.pool());
  pool.dirty = true;
  if (changed->to == ServerStatus::draining) {
    record->second.sticks_until_ms = clock_() + drain_timeout_.count();
  }
  note_recovery(record->second, *changed, *pool.config);
  if (on_status_changed) on_status_changed(server, *changed);
}

void PoolRegistry::set_tls(
    const std::map<std::string, std::shared_ptr<const TlsClientContext>>& contexts) {
  for (auto& [name, state] : states_) {
    auto found = contexts.find(name);
    auto context = found == contexts.end() ? nullptr : found->second;
    if (context == state->tls) continue;
    state->tls = std::move(context);
    state->dirty = true;
  }
}

void PoolRegistry::set_health(Server& server, Health health, const std::string& reason) {
  auto state = states_.find(server.pool());
  if (state == states_.end() || !state->second->config->health_check.enabled) return;
  change(server, reason, [=](ServerFacts& facts) { facts.health = health; });
}

void PoolRegistry::set_overloaded(Server& server, bool overloaded, const std::string& reason) {
  change(server, reason, [=](ServerFacts& facts) { facts.overloaded = overloaded; });
}

void PoolRegistry::follow_response_overload(Server& server) {
  if (!records_.contains(&server)) return;
  bool overloaded = server.reported.overloaded_until_ms() > clock_();
  std::string reason = "its responses no longer report overload";
  if (overloaded) {
    const LoadThresholds& thresholds = states_.at(server.pool())->config->health_check.thresholds;
    reason = overload_in(server.reported.report(), thresholds, true)
                 .value_or("its responses reported overload");
  }
  change(server, reason, [=](ServerFacts& facts) { facts.overloaded_in_responses = overloaded; });
}

void PoolRegistry::set_admin_state(Server& server, AdminState state, const std::string& reason) {
  change(server, reason, [=](ServerFacts& facts) { facts.admin = state; });
}

void PoolRegistry::set_agent_wish(Server& server, const AgentWish& wish,
                                  const std::string& reason) {
  auto record = records_.find(&server);
  if (record == records_.end() || record->second.wish == wish) return;
  record->second.wish = wish;
  states_.at(server.pool())->dirty = true;
  change(server, reason,
         [&](ServerFacts& facts) { facts.agent = wish.state.value_or(AdminState::ready); });
}

void PoolRegistry::eject(Server& server) {
  auto record = records_.find(&server);
  if (record == records_.end() || !is_usable(record->second.state.status())) return;
  const PoolState& state = *states_.at(server.pool());
  const auto& rules = state.config->outlier_detection;
  if (!rules || !may_eject(state, *rules)) return;
  Ejection& ejection = record->second.ejection;
  auto lasts = ejection.begin(rules->eject_for, clock_());
  // For the workers' next choices: the snapshot that says so may be a while in coming.
  server.next_trial_ms.store(ejection.until_ms(), std::memory_order_relaxed);
  change(server,
         fmt::format("{} failures in a row, ejected for {} ms (ejection {})",
                     rules->consecutive_failures, lasts.count(), ejection.number()),
         [](ServerFacts& facts) { facts.ejected = true; });
}

// Better a server that fails than none.
bool PoolRegistry::may_eject(const PoolState& state, const OutlierConfig& rules) const {
  size_t ejected = 0;
  size_t usable = 0;
  for (const Entry& entry : state.entries) {
    const ServerState& each = records_.at(entry.server.get()).state;
    if (each.facts().ejected) ++ejected;
    if (is_usable(each.status())) ++usable;
  }
  return ejected < state.entries.size() * rules.max_ejected_percent / 100 && usable > 1;
}

void PoolRegistry::end_ejection(Server& server, const std::string& reason) {
  // Not trusted yet: one more failure ejects it again, one success clears it.
  const auto& rules = states_.at(server.pool())->config->outlier_detection;
  server.next_trial_ms.store(clock_(), std::memory_order_relaxed);
  server.failures_in_a_row.store(rules ? rules->consecutive_failures - 1 : 0,
                                 std::memory_order_relaxed);
  server.avoid_until_ms.store(0, std::memory_order_relaxed);
  change(server, reason, [](ServerFacts& facts) { facts.ejected = false; });
}

void PoolRegistry::note_recovery(Record& record, const StatusChange& change,
                                 const PoolConfig& pool) const {
  if (!is_usable(change.to)) return record.slow_start.end();
  bool recovers = change.from == ServerStatus::unhealthy || change.from == ServerStatus::ejected ||
                  change.from == ServerStatus::maintenance;
  if (recovers && pool.slow_start.count() > 0 && !is_hash(pool.balance))
    record.slow_start.begin(clock_());
}

// When a server that is back, and is tried by one client at a time, needs no more trials: where
// nobody ever hears of a success, as of a server that only listens, no failure for `eject_for` is
// one.
std::optional<int64_t> PoolRegistry::trusted_from_ms(const Server& server, const Record& record,
                                                     const PoolConfig& pool) {
  bool is_tried = server.next_trial_ms.load(std::memory_order_relaxed) != 0;
  if (!is_tried || record.state.facts().ejected || !pool.outlier_detection) return {};
  return record.ejection.until_ms() + pool.outlier_detection->eject_for.count();
}

void PoolRegistry::advance() {
  int64_t now_ms = clock_();
  for (auto& [name, state] : states_) {
    for (const Entry& entry : state->entries) {
      Record& record = records_.at(entry.server.get());
      if (record.state.facts().ejected && now_ms >= record.ejection.until_ms()) {
        end_ejection(*entry.server, "its ejection is over");
      }
      auto trusted_ms = trusted_from_ms(*entry.server, record, *state->config);
      if (trusted_ms && now_ms >= *trusted_ms) {
        entry.server->next_trial_ms.store(0, std::memory_order_relaxed);
      }
      if (record.state.facts().overloaded_in_responses) follow_response_overload(*entry.server);
      if (!record.slow_start.active()) continue;
      state->dirty = true;
      if (record.slow_start.percent(state->config->slow_start, now_ms) == SlowStart::kFull) {
        record.slow_start.end();
      }
    }
  }
}

std::optional<int64_t> PoolRegistry::next_advance_ms() const {
  int64_t now_ms = clock_();
  std::optional<int64_t> next_ms;
  auto consider = [&next_ms](int64_t at_ms) { next_ms = std::min(next_ms.value_or(at_ms), at_ms); };
  for (const auto& [name, state] : states_) {
    const PoolConfig& config = *state->config;
    for (const Entry& entry : state->entries) {
      const Record& record = records_.at(entry.server.get());
      if (record.state.facts().ejected) consider(record.ejection.until_ms());
      if (auto at_ms = trusted_from_ms(*entry.server, record, config)) consider(*at_ms);
      if (record.state.facts().overloaded_in_responses) {
        consider(std::max(entry.server->reported.overloaded_until_ms(), now_ms));
      }
      if (!record.slow_start.active()) continue;
      consider(record.slow_start.next_step_ms(config.slow_start, now_ms));
    }
  }
  return next_ms;
}

void PoolRegistry::note_check(const Server& server, CheckRecord check) {
  auto record = records_.find(&server);
  if (record != records_.end()) record->second.last_check = std::move(check);
}

ServerStatus PoolRegistry::status(const Server& server) const {
  return records_.at(&server).state.status();
}

Server* PoolRegistry::find(const std::string& pool, const std::string& name) {
  auto state = states_.find(pool);
  if (state == states_.end()) return nullptr;
  for (const Entry& entry : state->second->entries) {
    if (entry.server->name() == name) return entry.server.get();
  }
  return nullptr;
}

bool PoolRegistry::dirty() const {
  return std::any_of(states_.begin(), states_.end(),
                     [](const auto& state) { return state.second->dirty; });
}

std::map<std::string, std::shared_ptr<const Pool>> PoolRegistry::pools() {
  std::map<std::string, std::shared_ptr<const Pool>> pools;
  for (auto& [name, state] : states_) {
    if (is_over(*state)) {
      state->pool.reset();
      state->dirty = false;
      continue;
    }
    if (state->dirty) {
      state->pool = build(*state);
      state->dirty = false;
    }
    pools[name] = state->pool;
  }
  return pools;
}

// Gone, with all of its servers freed.
bool PoolRegistry::is_over(const PoolState& state) const {
  return state.is_dropped && state.entries.empty() &&
         std::none_of(removed_.begin(), removed_.end(),
                      [&](const Removed& removed) { return removed.state == &state; });
}

bool PoolRegistry::any_starts_slowly(const PoolState& state) const {
  // A hash gives each key its server: a share that grows would move keys there and then.
  if (state.config->slow_start.count() == 0 || is_hash(state.config->balance)) return false;
  return std::any_of(state.entries.begin(), state.entries.end(), [this](const Entry& entry) {
    return records_.at(entry.server.get()).slow_start.active();
  });
}

std::shared_ptr<const Pool> PoolRegistry::build(PoolState& state) const {
  std::vector<Member> members;
  std::vector<std::shared_ptr<Server>> servers;
  auto record_of = [&](const Entry& entry) -> const Record& {
    return records_.at(entry.server.get());
  };
  // Weights count among each other only; hundredths of one are needed where agents ask for them, or
  // a share grows.
  bool in_percent = std::any_of(state.entries.begin(), state.entries.end(),
                                [&](const Entry& e) { return record_of(e).wish.weight_percent; });
  bool growing = any_starts_slowly(state);
  for (const Entry& entry : state.entries) {
    const AgentWish& wish = record_of(entry).wish;
    uint32_t weight = entry.config.weight;
    if (in_percent) weight *= wish.weight_percent.value_or(100);
    if (growing) {
      weight *= record_of(entry).slow_start.percent(state.config->slow_start, clock_());
    }
    uint32_t limit = entry.config.max_connections.value_or(kNoLimit);
    if (uint32_t wished = wish.max_connections.value_or(0); wished > 0) {
      limit = std::min(limit, wished);
    }
    members.push_back({.server = entry.server.get(),
                       .status = status(*entry.server),
                       .weight = weight,
                       .limit = limit,
                       .backup = entry.config.backup,
                       .host = entry.config.host,
                       .sticks_until_ms = record_of(entry).sticks_until_ms});
    servers.push_back(entry.server);
  }
  std::shared_ptr<const OwningPool> owning(
      new OwningPool{state.held, std::move(servers),
                     Pool(state.config, std::move(members), state.load, state.budget, state.tls,
                          state.sticky, state.store)});
  return {owning, &owning->pool};
}

void PoolRegistry::collect() {
  std::erase_if(removed_, [this](Removed& removed) {
    // In no pool it is picked no more, so a count of zero stays zero.
    if (removed.server.use_count() > 1) return false;
    if (removed.server->active().load(std::memory_order_acquire) != 0) return false;
    removed.state->load.release_slot(removed.server->active());
    records_.erase(removed.server.get());
    return true;
  });
  // Every worker has let go of the snapshots that knew it: none is behind a lease's end any more,
  // where it looks at the line of those who wait.
  std::erase_if(states_, [this](const auto& one) {
    const PoolState& state = *one.second;
    return is_over(state) && !state.pool && state.held.use_count() == 1;
  });
}

std::vector<Server*> PoolRegistry::overdue(int64_t now_ms) {
  std::vector<Server*> servers;
  for (Removed& removed : removed_) {
    if (removed.told || now_ms < removed.drain_until_ms) continue;
    removed.told = true;
    servers.push_back(removed.server.get());
  }
  return servers;
}

void PoolRegistry::for_each(const std::function<void(Server&, const PoolConfig&)>& visit) const {
  for (const auto& [name, state] : states_) {
    for (const Entry& entry : state->entries) visit(*entry.server, *state->config);
  }
}

}  // namespace lb
