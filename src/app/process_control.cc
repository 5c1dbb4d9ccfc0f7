// SPDX-License-Identifier: MIT
// Process as the admin interface sees it.
#include <algorithm>
#include <map>
#include <utility>

#include "app/process.h"
#include "common/clock.h"
#include "common/log.h"
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
  view.total_requests = server.requests;
  if (server.response_us > 0) view.response_ms = server.response_us / 1000.0;
  if (server.last_check) view.last_check_at = server.last_check->at_ms;
  if (server.load) view.load = std::min(*server.load, 1.0);
  view.added_at = server.added_at_ms;
  view.bytes_in = server.bytes_in;
  view.bytes_out = server.bytes_out;
  view.connect_failures = server.connect_failures;
  view.failures = server.failures;
  view.is_usable = is_usable(server.status);
  view.latency = server.responses;
  return view;
}

// One whose name has no address yet.
admin::ServerView to_view(const std::string& pool, const ServerConfig& entry) {
  admin::ServerView view;
  view.id = server_id(pool, entry.name);
  view.pool = pool;
  view.name = entry.name;
  view.host = entry.host;
  view.port = entry.address.port();
  view.weight = entry.weight;
  view.backup = entry.backup;
  view.status = to_string(ServerStatus::unknown);
  view.is_usable = false;
  return view;
}

void add_figures(admin::ListenerView& view, const ListenerStats::Sum& sum) {
  view.total_connections = sum.connections;
  view.total_requests = sum.requests;
  view.datagrams_in = sum.datagrams_in;
  view.datagrams_out = sum.datagrams_out;
  view.bytes_in = sum.bytes_in;
  view.bytes_out = sum.bytes_out;
  for (const auto& [reason, count] : sum.ended) view.ended.emplace_back(to_string(reason), count);
  view.connect = sum.connect;
  view.first_byte = sum.first_byte;
  view.duration = sum.duration;
  for (const auto& [key, count] : sum.by_route.requests) {
    const auto& [route, pool, server, status] = key;
    view.requests.push_back({route, pool, server, status, count});
  }
  for (const auto& [route, latency] : sum.by_route.latency) view.routes.emplace(route, latency);
}

void add_work(RateWindow::Sample& sample, const ListenerStats& stats) {
  ListenerStats::Sum sum = stats.sum();
  sample.requests += sum.requests;
  sample.answers += sum.first_byte.count();
  sample.answers_us += sum.first_byte.sum_us();
}

void add_drops(admin::ListenerView& view, const DatagramLimits& limits) {
  for (size_t i = 0; i < kDroppedReasons; ++i) {
    uint64_t count = limits.dropped[i].load(std::memory_order_relaxed);
    if (count > 0) view.dropped.emplace_back(to_string(static_cast<Dropped>(i)), count);
  }
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

RateWindow::Sample Process::work_so_far() const {
  RateWindow::Sample sample = forgotten_work_;
  sample.at_ms = monotonic_ms();
  for (const auto& [name, stats] : listener_stats_) add_work(sample, *stats);
  return sample;
}

// Of listeners that are gone, once no session counts there any more.
void Process::forget_stats() {
  std::erase_if(listener_stats_, [this](const auto& one) {
    bool is_over = !config_->listeners.contains(one.first) && one.second.use_count() == 1;
    if (is_over) add_work(forgotten_work_, *one.second);
    return is_over;
  });
}

admin::ProcessView Process::process() const {
  RateWindow::Rate rate = rate_.rate(work_so_far());
  std::map<std::string, std::map<std::string, uint64_t>> tokens;
  for (const auto& [name, verifier] : tokens_.current().by_name) {
    auto& results = tokens[name];
    results["valid"] = verifier->tally()->valid();
    for (size_t i = 0; i < kJwtRefusals; ++i) {
      auto refusal = static_cast<JwtRefusal>(i);
      results[to_string(refusal)] = verifier->tally()->refused(refusal);
    }
  }
  return {.version = LB_VERSION,
          .workers = workers_,
          .started_at = unix_ms() - uptime_ms(),
          .connections = connections_.open(),
          .most_connections = connections_.limit(),
          .log_lines_lost = log::lost(),
          .spans_lost = spans_ ? spans_->lost() : 0,
          .reloads = reloads_,
          .failed_reloads = failed_reloads_,
          .requests_per_second = rate.per_second,
          .response_ms = rate.response_ms,
          .tokens = std::move(tokens)};
}

void Process::tell_event(admin::EventView::Kind kind, const std::string& to,
                         const std::string& reason, const Server* server, const std::string& from) {
  if (!admin_) return;
  admin::EventView event{.kind = kind, .at = unix_ms(), .from = from, .to = to, .reason = reason};
  if (server != nullptr) {
    event.pool = server->pool();
    event.server = server->name();
  }
  admin_->publish(event);
}

void Process::tell_membership(const PoolRegistry::Changes& changes) {
  for (const Server* server : changes.removed) {
    tell_event(admin::EventView::Kind::membership, "removed", "drains", server);
  }
  for (const Server* server : changes.added) {
    tell_event(admin::EventView::Kind::membership, "added", "", server);
  }
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
  for (const Unresolved& one : unresolved()) ++views[*one.pool].servers;
  registry_.for_each_status([&](const std::string& pool, ServerStatus status, uint32_t weight) {
    if (weight > 0 && is_usable(status)) ++views[pool].usable_servers;
  });
  std::vector<admin::PoolView> list;
  for (auto& [name, view] : views) list.push_back(std::move(view));
  return list;
}

std::optional<admin::SessionsView> Process::sessions(const std::string& pool,
                                                     size_t at_most) const {
  if (!pool.empty() && !config_->pools.contains(pool)) return {};
  int64_t now_ms = monotonic_ms();
  int64_t to_unix_ms = unix_ms() - now_ms;
  auto sticky = registry_.sticky(pool, at_most, now_ms);
  admin::SessionsView view{sticky.total, {}};
  for (const auto& entry : sticky.entries) {
    view.entries.push_back({entry.pool, entry.view.hash, entry.server,
                            entry.view.used_ms + to_unix_ms, entry.view.ends_ms + to_unix_ms});
  }
  return view;
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
    if (auto stats = listener_stats_.find(name); stats != listener_stats_.end()) {
      add_figures(view, stats->second->sum());
    }
    if (auto limits = datagram_limits_.find(name); limits != datagram_limits_.end()) {
      add_drops(view, *limits->second);
    }
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
  for (const Unresolved& one : unresolved()) views.push_back(to_view(*one.pool, *one.entry));
  return views;
}

std::map<std::string, size_t> Process::server_statuses() const {
  std::map<std::string, size_t> counts;
  registry_.for_each_status(
      [&](const std::string&, ServerStatus status, uint32_t) { ++counts[to_string(status)]; });
  if (size_t count = unresolved().size()) counts[to_string(ServerStatus::unknown)] += count;
  return counts;
}

std::vector<Process::Unresolved> Process::unresolved() const {
  std::vector<Unresolved> found;
  for (const auto& [name, pool] : config_->pools) {
    for (const ServerConfig& entry : pool.servers) {
      if (!entry.host.empty() && !names_.is_resolved(entry.host)) found.push_back({&name, &entry});
    }
  }
  return found;
}

std::optional<admin::ServerHealthView> Process::server_health(const std::string& id) const {
  auto servers = registry_.report(monotonic_ms());
  auto found = std::find_if(servers.begin(), servers.end(),
                            [&](const ServerReport& server) { return server.id == id; });
  admin::ServerHealthView view;
  view.status = to_string(ServerStatus::unknown);
  auto is_it = [&](const Unresolved& one) { return server_id(*one.pool, one.entry->name) == id; };
  auto nameless = unresolved();
  if (std::any_of(nameless.begin(), nameless.end(), is_it)) return view;
  if (found == servers.end()) return {};
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
