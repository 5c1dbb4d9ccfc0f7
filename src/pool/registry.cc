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
        entry.health = same->health;
      } else {
        entry.server = take_back(state, server);
        if (!entry.server) {
          entry.server = std::make_shared<Server>(config.name, server.name, server.address,
                                                  state.load.acquire_slot(), workers_);
        }
        changes.added.push_back(entry.server.get());
      }
      entry.config = std::move(server);
      state.entries.push_back(std::move(entry));
    }
  }
  for (Entry& entry : before) {
    if (!entry.server) continue;
    changes.removed.push_back(entry.server.get());
    removed_.push_back({std::move(entry.server), &state, drain_until_ms});
  }
  bool same_members = changes.added.size() + changes.removed.size() == changes_before;
  if (same_members && state.config && *state.config == config) return;
  state.config = std::make_shared<const PoolConfig>(config);
  state.dirty = true;
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
  return server;
}

PoolRegistry::Entry* PoolRegistry::find(const Server& server) {
  auto state = states_.find(server.pool());
  if (state == states_.end()) return nullptr;
  auto& entries = state->second->entries;
  auto entry = std::find_if(entries.begin(), entries.end(),
                            [&](const Entry& e) { return e.server.get() == &server; });
  return entry == entries.end() ? nullptr : &*entry;
}

void PoolRegistry::set_health(Server& server, Health health) {
  Entry* entry = find(server);
  if (!entry || entry->health == health) return;
  entry->health = health;
  states_[server.pool()]->dirty = true;
}

Health PoolRegistry::health(const Server& server) const {
  const Entry* entry = const_cast<PoolRegistry*>(this)->find(server);
  return entry ? entry->health : Health::unknown;
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
  for (const Entry& entry : state.entries) {
    bool checked = state.config->health_check.enabled;
    members.push_back({.server = entry.server.get(),
                       .health = checked ? entry.health : Health::healthy,
                       .weight = entry.config.weight,
                       .limit = entry.config.max_connections.value_or(kNoLimit),
                       .backup = entry.config.backup,
                       .draining = false});
    servers.push_back(entry.server);
  }
  std::shared_ptr<const OwningPool> owning(new OwningPool{
      std::move(servers), Pool(state.config, std::move(members), state.load, state.budget)});
  return {owning, &owning->pool};
}

void PoolRegistry::collect() {
  std::erase_if(removed_, [](Removed& removed) {
    // In no pool it is picked no more, so a count of zero stays zero.
    if (removed.server.use_count() > 1) return false;
    if (removed.server->active().load(std::memory_order_acquire) != 0) return false;
    removed.state->load.release_slot(removed.server->active());
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
