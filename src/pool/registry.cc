// SPDX-License-Identifier: MIT
#include "pool/registry.h"

#include <algorithm>
#include <utility>

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
  std::vector<std::shared_ptr<Server>> servers;
  Pool pool;
};

}  // namespace

PoolRegistry::~PoolRegistry() = default;

PoolRegistry::Changes PoolRegistry::apply(const Config& config, const Names& names,
                                          int64_t drain_until_ms) {
  Changes changes;
  for (auto& [name, state] : states_) {
    if (config.pools.contains(name)) continue;
    PoolConfig without_servers = *state->config;
    without_servers.servers.clear();
    apply_pool(*state, without_servers, names, drain_until_ms, changes);
  }
  for (const auto& [name, pool] : config.pools) {
    auto& state = states_[name];
    if (!state) state = std::make_unique<PoolState>(workers_);
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
        entry.server = take_back(state, server);
        if (!entry.server) entry.server = make(state, server);
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
  bool same_members = changes.added.size() + changes.removed.size() == changes_before;
  if (same_members && same_config) return;
  state.dirty = true;
  bool is_checked = config.health_check.enabled;
  if (was_checked != is_checked) begin_or_end_checks(state, is_checked);
}

std::shared_ptr<Server> PoolRegistry::make(PoolState& state, const ServerConfig& config) {
  auto server = std::make_shared<Server>(state.config->name, config.name, config.address,
                                         state.load.acquire_slot(), workers_);
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
  record.state.update(first_facts(*state.config), "added again", unix_ms());
  return server;
}

void PoolRegistry::remove(PoolState& state, Entry entry, int64_t drain_until_ms) {
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
      facts.agent = AdminState::ready;
    });
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
  states_.at(server.pool())->dirty = true;
  if (on_status_changed) on_status_changed(server, *changed);
}

void PoolRegistry::set_health(Server& server, Health health, const std::string& reason) {
  auto state = states_.find(server.pool());
  if (state == states_.end() || !state->second->config->health_check.enabled) return;
  change(server, reason, [=](ServerFacts& facts) { facts.health = health; });
}

void PoolRegistry::set_overloaded(Server& server, bool overloaded, const std::string& reason) {
  change(server, reason, [=](ServerFacts& facts) { facts.overloaded = overloaded; });
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

std::vector<ServerReport> PoolRegistry::report(int64_t now_ms) const {
  std::vector<ServerReport> reports;
  for (const auto& [name, state] : states_) {
    for (const Entry& entry : state->entries) {
      reports.push_back(report(*entry.server, entry.config, now_ms));
    }
  }
  for (const Removed& removed : removed_) {
    reports.push_back(report(*removed.server, removed.config, now_ms));
  }
  return reports;
}

ServerReport PoolRegistry::report(const Server& server, const ServerConfig& config,
                                  int64_t now_ms) const {
  const Record& record = records_.at(&server);
  ServerReport report{.id = server_id(server.pool(), server.name()),
                      .pool = server.pool(),
                      .name = server.name(),
                      .address = server.address(),
                      .weight = config.weight,
                      .max_connections = config.max_connections,
                      .backup = config.backup,
                      .status = record.state.status(),
                      .admin = record.state.facts().admin,
                      .active = server.active().load(std::memory_order_relaxed),
                      .response_us = server.latency.average_us(now_ms),
                      .last_check = record.last_check,
                      .history = {record.state.history().begin(), record.state.history().end()},
                      .added_at_ms = record.state.added_at_ms()};
  for (const ServerCell& cell : server.cells()) {
    report.connections += cell.connections.load(std::memory_order_relaxed);
    report.connect_failures += cell.connect_failures.load(std::memory_order_relaxed);
    report.bytes_in += cell.bytes_in.load(std::memory_order_relaxed);
    report.bytes_out += cell.bytes_out.load(std::memory_order_relaxed);
  }
  return report;
}

bool PoolRegistry::dirty() const {
  return std::any_of(states_.begin(), states_.end(),
                     [](const auto& state) { return state.second->dirty; });
}

std::map<std::string, std::shared_ptr<const Pool>> PoolRegistry::pools() {
  std::map<std::string, std::shared_ptr<const Pool>> pools;
  for (auto& [name, state] : states_) {
    if (state->dirty) {
      state->pool = build(*state);
      state->dirty = false;
    }
    pools[name] = state->pool;
  }
  return pools;
}

std::shared_ptr<const Pool> PoolRegistry::build(PoolState& state) const {
  std::vector<Member> members;
  std::vector<std::shared_ptr<Server>> servers;
  auto wish_of = [&](const Entry& entry) -> const AgentWish& {
    return records_.at(entry.server.get()).wish;
  };
  // Weights count among each other only; hundredths of one are needed where agents ask for them.
  bool in_percent = std::any_of(state.entries.begin(), state.entries.end(),
                                [&](const Entry& e) { return wish_of(e).weight_percent; });
  for (const Entry& entry : state.entries) {
    const AgentWish& wish = wish_of(entry);
    uint32_t percent = in_percent ? wish.weight_percent.value_or(100) : 1;
    uint32_t limit = entry.config.max_connections.value_or(kNoLimit);
    if (uint32_t wished = wish.max_connections.value_or(0); wished > 0) {
      limit = std::min(limit, wished);
    }
    members.push_back({.server = entry.server.get(),
                       .status = status(*entry.server),
                       .weight = entry.config.weight * percent,
                       .limit = limit,
                       .backup = entry.config.backup});
    servers.push_back(entry.server);
  }
  std::shared_ptr<const OwningPool> owning(new OwningPool{
      std::move(servers), Pool(state.config, std::move(members), state.load, state.budget)});
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
