// SPDX-License-Identifier: MIT
// What a registry keeps of clients that stay with their servers.
#include <algorithm>

#include "pool/registry.h"

namespace lb {

namespace {

// Servers of a pool that are remembered after they were freed: names may have ever new addresses.
constexpr size_t kMostGone = 1'024;

}  // namespace

// The entries stay as long as there is stickiness at all.
void PoolRegistry::update_sticky(PoolState& state) const {
  const auto& config = state.config->sticky;
  if (!config || config->gives_cookies()) return state.sticky.reset();
  StickyTable::Limits limits{config->max_entries, config->ttl};
  std::shared_ptr<StickyTable> before = state.sticky;
  if (before && before->has_room_for(limits)) return before->set_limits(limits);
  auto table = std::make_shared<StickyTable>(limits);
  if (before) table->take_over(*before, clock_());
  state.sticky = std::move(table);
}

// One that stays keeps its connections.
void PoolRegistry::update_store(PoolState& state) const {
  const auto& config = state.config->sticky;
  if (!config || !config->store || !make_store) {
    state.store.reset();
    state.store_of.reset();
    return;
  }
  if (!state.store || state.store_of != config) {
    state.store = make_store(*state.config, state.sticky);
    state.store_of = config;
  }
  std::vector<const Server*> servers;
  for (const Entry& entry : state.entries) servers.push_back(entry.server.get());
  state.store->set_servers(servers);
}

// The clients that were its own are so again when it comes back.
std::optional<uint32_t> PoolRegistry::take_gone(PoolState& state, const ServerConfig& config) {
  auto same = std::find_if(state.gone.begin(), state.gone.end(), [&](const Gone& gone) {
    return gone.name == config.name && gone.address == config.address;
  });
  if (same == state.gone.end()) return {};
  uint32_t number = same->number;
  state.gone.erase(same);
  return number;
}

// Where clients must not have another server they are to be told so, until it comes back.
void PoolRegistry::leave_clients(PoolState& state, const Server& server) {
  if (state.config->sticky->fallback == StickyFallback::rebalance) {
    return state.sticky->forget(server.number());
  }
  state.gone.push_back({server.name(), server.address(), server.number()});
  if (state.gone.size() <= kMostGone) return;
  state.sticky->forget(state.gone.front().number);
  state.gone.pop_front();
}

}  // namespace lb
