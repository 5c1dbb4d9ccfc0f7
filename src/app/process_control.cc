// SPDX-License-Identifier: MIT
// Process as the admin interface sees it.
#include <algorithm>
#include <set>
#include <utility>

#include "app/process.h"
#include "common/clock.h"

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

AdminState to_state(admin::WantedState state) {
  switch (state) {
    case admin::WantedState::ready:
      return AdminState::ready;
    case admin::WantedState::drain:
      return AdminState::drain;
    case admin::WantedState::maintenance:
      return AdminState::maintenance;
  }
  return AdminState::ready;
}

}  // namespace

int64_t Process::uptime_ms() const {
  return monotonic_ms() - started_ms_;
}

std::vector<admin::PoolView> Process::pools() const {
  std::set<std::string> used;
  for (const auto& [name, listener] : config_->listeners) used.insert(listener.pool);
  std::set<std::string> usable;
  for (const ServerReport& server : registry_.report(monotonic_ms())) {
    if (server.weight > 0 && is_usable(server.status)) usable.insert(server.pool);
  }
  std::vector<admin::PoolView> views;
  for (const auto& [name, pool] : config_->pools) {
    views.push_back({name, used.contains(name), usable.contains(name)});
  }
  return views;
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

void Process::set_state(const std::string& id, admin::WantedState state, admin::Outcome done) {
  auto servers = registry_.report(monotonic_ms());
  auto found = std::find_if(servers.begin(), servers.end(),
                            [&](const ServerReport& server) { return server.id == id; });
  Server* server = found == servers.end() ? nullptr : registry_.find(found->pool, found->name);
  if (server == nullptr) return done(fail("the server is on its way out"));
  registry_.set_admin_state(*server, to_state(state),
                            std::string("set to ") + to_string(to_state(state)) + " by the API");
  publish();
  when_everywhere([done = std::move(done)] { done(Done{}); });
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
