// SPDX-License-Identifier: MIT
// Process as the admin interface sees it.
#include <algorithm>
#include <map>
#include <utility>

#include "app/process.h"
#include "common/clock.h"
#include "config/balance.h"

namespace lb {

namespace {

admin::ServerView to_view(const ServerReport& server) {
  admin::ServerView view;
  view.id = server.id;
  view.name = server.name;
  view.pool = server.pool;
  view.host = server.address.is_unix() ? std::string(server.address.unix_path())
                                       : server.address.ip_string();
  view.port = server.address.port();
  view.weight = server.weight;
  view.backup = server.backup;
  view.status = to_string(server.status);
  view.active_connections = server.active;
  view.total_requests = server.connections;
  if (server.response_us > 0) view.response_ms = server.response_us / 1000.0;
  if (server.last_check) {
    view.last_check_at = server.last_check->at_ms;
    if (server.last_check->load) view.load = std::min(*server.last_check->load, 1.0);
  }
  view.added_at = server.added_at_ms;
  return view;
}

const char* protocol_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::tcp:
      return "tcp";
    case Protocol::udp:
      return "udp";
    case Protocol::http:
      return "http";
  }
  return "tcp";
}

}  // namespace

int64_t Process::uptime_ms() const {
  return monotonic_ms() - started_ms_;
}

std::vector<admin::PoolView> Process::pools() const {
  std::map<std::string, admin::PoolView> views;
  for (const auto& [name, pool] : config_->pools) {
    views[name].name = name;
    views[name].algorithm = config::balance_name(pool.balance);
  }
  for (const auto& [name, listener] : config_->listeners) {
    for (const std::string& pool : pools_of(listener)) views[pool].listeners.push_back(name);
  }
  registry_.for_each([&](const Server&, const PoolConfig& pool) { ++views[pool.name].servers; });
  for (const ServerReport& server : registry_.report(monotonic_ms())) {
    if (server.weight > 0 && is_usable(server.status)) ++views[server.pool].usable_servers;
  }
  std::vector<admin::PoolView> list;
  for (auto& [name, view] : views) list.push_back(std::move(view));
  return list;
}

std::vector<admin::ListenerView> Process::listeners() const {
  std::vector<admin::ListenerView> list;
  for (const auto& [name, listener] : config_->listeners) {
    admin::ListenerView view;
    view.name = name;
    view.protocol = protocol_name(listener.protocol);
    view.pools = pools_of(listener);
    for (const ListenAddress& address : listener.addresses) view.addresses.push_back(address.text);
    auto limit = listener_limits_.find(name);
    if (limit != listener_limits_.end()) view.active_connections = limit->second->open();
    list.push_back(std::move(view));
  }
  return list;
}

std::vector<admin::AlgorithmView> Process::algorithms() const {
  std::vector<admin::AlgorithmView> list;
  for (const auto& word : config::balance_words()) {
    if (!word.is_alias) list.push_back({std::string(word.word), {}});
  }
  for (const auto& word : config::balance_words()) {
    if (!word.is_alias) continue;
    for (admin::AlgorithmView& view : list) {
      if (view.name == config::balance_name(word.value)) view.aliases.emplace_back(word.word);
    }
  }
  return list;
}

std::vector<admin::ServerView> Process::servers() const {
  std::vector<admin::ServerView> views;
  for (const ServerReport& server : registry_.report(monotonic_ms())) {
    views.push_back(to_view(server));
  }
  return views;
}

std::optional<admin::ServerHealthView> Process::server_health(const std::string& id) const {
  auto servers = registry_.report(monotonic_ms());
  auto found = std::find_if(servers.begin(), servers.end(),
                            [&](const ServerReport& server) { return server.id == id; });
  if (found == servers.end()) return {};
  admin::ServerHealthView view;
  view.status = to_string(found->status);
  if (found->last_check) {
    const CheckRecord& check = *found->last_check;
    view.last_check = admin::CheckView{check.at_ms, check.passed, check.took.count(), check.detail};
  }
  for (const StatusChange& change : found->history) {
    view.history.push_back(
        {change.at_ms, to_string(change.from), to_string(change.to), change.reason});
  }
  return view;
}

void Process::when_everywhere(std::function<void()> callback) {
  waiting_for_workers_.emplace_back(version_, std::move(callback));
}

void Process::tell_waiting() {
  uint64_t version = version_everywhere();
  auto reached = std::stable_partition(waiting_for_workers_.begin(), waiting_for_workers_.end(),
                                       [&](const auto& one) { return one.first > version; });
  std::vector<std::pair<uint64_t, std::function<void()>>> told(
      std::make_move_iterator(reached), std::make_move_iterator(waiting_for_workers_.end()));
  waiting_for_workers_.erase(reached, waiting_for_workers_.end());
  for (auto& [wanted, callback] : told) callback();
}

}  // namespace lb
