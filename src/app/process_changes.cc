// SPDX-License-Identifier: MIT
// Changes of the running balancer through the admin interface: each makes another overlay, which
// then goes the way of a reload.
#include <algorithm>
#include <utility>

#include "app/process.h"
#include "common/clock.h"
#include "common/log.h"
#include "config/addresses.h"
#include "config/balance.h"

namespace lb {

namespace {

// A first check may take its timeout; more than this nobody waits for an answer.
constexpr milliseconds kLongestFirstCheck{30'000};

using admin::Refusal;

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

Unexpected<Refusal> refused(int status, std::string message, std::string path = "") {
  return {Refusal{status, std::move(message), std::move(path), {}, ""}};
}

const ServerConfig* find_entry(const Config& config, const Overlay::Key& key) {
  auto pool = config.pools.find(key.first);
  if (pool == config.pools.end()) return nullptr;
  const auto& servers = pool->second.servers;
  auto found = std::find_if(servers.begin(), servers.end(),
                            [&](const ServerConfig& one) { return one.name == key.second; });
  return found == servers.end() ? nullptr : &*found;
}

// "10.0.0.1" and 80 as "10.0.0.1:80".
std::string address_text(const admin::NewServer& server) {
  bool is_bare_ipv6 = server.host.find(':') != std::string::npos && !server.host.starts_with('[');
  return fmt::format("{}{}{}:{}", is_bare_ipv6 ? "[" : "", server.host, is_bare_ipv6 ? "]" : "",
                     server.port);
}

Result<ServerConfig, Refusal> to_config(const admin::NewServer& server) {
  std::string text = address_text(server);
  auto address = config::server_address().parse(text);
  if (!address) return refused(400, address.error().message, "host");
  auto name = config::server_name().parse(server.name.empty() ? text : server.name);
  if (!name) return refused(400, name.error().message, "name");
  ServerConfig made;
  made.name = std::move(*name);
  made.host = address->host;
  made.address = address->address;
  made.weight = server.weight;
  made.backup = server.backup;
  return made;
}

}  // namespace

void Process::change(Overlay overlay, const admin::Outcome& outcome) {
  if (terminating_) return outcome(refused(503, "lb is ending"));
  if (version_ == 0) return outcome(refused(503, "lb is starting; try again in a moment"));
  if (auto applied = apply(*file_, std::move(overlay)); !applied) {
    return outcome(refused(409, applied.error().message));
  }
  acknowledge(outcome);
}

Result<Process::Found, Refusal> Process::find_server(const std::string& id) const {
  std::optional<Found> found;
  registry_.for_each([&](Server& server, const PoolConfig&) {
    if (found || server_id(server.pool(), server.name()) != id) return;
    auto pool = config_->pools.find(server.pool());
    if (pool == config_->pools.end()) return;
    const ServerConfig* entry = entry_of(pool->second, server.name());
    if (entry != nullptr) found = Found{&server, {server.pool(), entry->name}};
  });
  for (const Unresolved& one : unresolved()) {
    if (server_id(*one.pool, one.entry->name) == id)
      found = Found{nullptr, {*one.pool, one.entry->name}};
  }
  if (!found) return refused(409, "the server is on its way out");
  return *found;
}

void Process::set_state(const std::string& id, admin::WantedState wanted,
                        const admin::Outcome& outcome) {
  auto found = find_server(id);
  if (!found) return outcome(Unexpected{found.error()});
  if (found->server == nullptr) {
    return outcome(refused(409, "its name has no address yet, so there is nothing to take out"));
  }
  Server& server = *found->server;
  AdminState state = to_state(wanted);
  if (state == AdminState::ready) {
    overlay_.states.erase({server.pool(), server.name()});
  } else {
    overlay_.states[{server.pool(), server.name()}] = state;
  }
  registry_.set_admin_state(server, state, fmt::format("set to {} at run time", to_string(state)));
  publish();
  acknowledge(outcome);
}

// What a server was set to counts for all that come to have its name.
void Process::restore_states() {
  for (const auto& [key, state] : overlay_.states) {
    Server* server = registry_.find(key.first, key.second);
    if (server == nullptr) continue;
    registry_.set_admin_state(*server, state, fmt::format("was set to {}", to_string(state)));
  }
}

void Process::set_weight(const std::string& id, uint32_t weight, const admin::Outcome& outcome) {
  auto found = find_server(id);
  if (!found) return outcome(Unexpected{found.error()});
  Overlay next = overlay_;
  const Overlay::Key& key = found->entry;
  if (auto added = next.added.find(key); added != next.added.end()) {
    added->second.server.weight = weight;
  } else if (uint32_t in_file = find_entry(*file_, key)->weight; in_file == weight) {
    next.weights.erase(key);
  } else {
    next.weights[key] = {weight, in_file};
  }
  change(std::move(next), outcome);
}

void Process::set_algorithm(const std::string& pool, const std::string& algorithm,
                            const admin::Outcome& outcome) {
  auto in_file = file_->pools.find(pool);
  if (in_file == file_->pools.end()) return outcome(refused(404, "there is no such pool", "pool"));
  auto balance = config::one_of<Balance>(config::balance_words()).parse(algorithm);
  if (!balance) return outcome(refused(400, balance.error().message, "algorithm"));
  Overlay next = overlay_;
  if (*balance == in_file->second.balance) {
    next.algorithms.erase(pool);
  } else {
    next.algorithms[pool] = {*balance, in_file->second.balance};
  }
  change(std::move(next), outcome);
}

void Process::add_server(const admin::NewServer& server,
                         const admin::Reply<admin::ServerView>& reply) {
  std::string pool_name = server.pool;
  if (pool_name.empty()) {
    if (config_->pools.size() != 1) {
      return reply(refused(400, "is missing; it may be left out where there is one pool", "pool"));
    }
    pool_name = config_->pools.begin()->first;
  }
  auto pool = config_->pools.find(pool_name);
  if (pool == config_->pools.end()) return reply(refused(404, "there is no such pool", "pool"));
  auto entry = to_config(server);
  if (!entry) return reply(Unexpected{entry.error()});
  Overlay::Key key{pool_name, entry->name};
  if (find_entry(*config_, key) != nullptr) {
    return reply(refused(409, "the pool has a server of that name", "name"));
  }
  const HealthCheckConfig& of_pool = pool->second.health_check;
  bool has_own_check = server.check_path || server.check_interval;
  if (has_own_check && !of_pool.enabled) {
    return reply(refused(400, "the pool has health_check: off",
                         server.check_path ? "healthCheckPath" : "healthCheckInterval"));
  }
  Overlay next = overlay_;
  next.added[key] = {std::move(*entry), server.check_path, server.check_interval};
  auto waiting = std::unique_ptr<FirstCheck>(
      new FirstCheck{reply, Timer(loop_, [this, key] { tell_checked(key); })});
  waiting->end.start(std::min(of_pool.timeout + milliseconds(1'000), kLongestFirstCheck));
  waiting_for_check_[key] = std::move(waiting);
  change(std::move(next), [this, key, is_checked = of_pool.enabled](const auto& added) {
    if (added && !is_checked) return tell_checked(key);
    if (added) return;
    auto refused = waiting_for_check_.extract(key);
    if (!refused.empty()) refused.mapped()->reply(Unexpected{added.error()});
  });
}

void Process::checked(const Server& server) {
  if (waiting_for_check_.empty()) return;
  const ServerConfig* entry = entry_of(config_->pools.at(server.pool()), server.name());
  if (entry == nullptr) return;
  Overlay::Key key{server.pool(), entry->name};
  // Posted: what the check changes comes first.
  if (waiting_for_check_.contains(key)) mailbox_.post([this, key] { tell_checked(key); });
}

void Process::tell_checked(const Overlay::Key& key) {
  auto waiting = waiting_for_check_.extract(key);
  if (waiting.empty()) return;
  publish();
  when_everywhere([this, key, reply = waiting.mapped()->reply] {
    for (const admin::ServerView& view : servers()) {
      if (view.pool != key.first || view.status == "draining") continue;
      if (view.name == key.second || view.name.starts_with(key.second + "/")) return reply(view);
    }
    reply(refused(409, "the server was removed again"));
  });
  loop_.retire(std::move(waiting.mapped()));  // its timer may be what called
}

void Process::remove_server(const std::string& id, const admin::Outcome& outcome) {
  auto found = find_server(id);
  if (!found) return outcome(Unexpected{found.error()});
  Overlay next = overlay_;
  const Overlay::Key& key = found->entry;
  if (next.added.erase(key) == 0) {
    next.removed[key] = *find_entry(*file_, key);
    next.weights.erase(key);
  }
  std::erase_if(next.states, [&](const auto& state) {
    return state.first == key ||
           (state.first.first == key.first && state.first.second.starts_with(key.second + "/"));
  });
  tell_checked(key);
  change(std::move(next), outcome);
}

void Process::reload(const admin::Outcome& outcome) {
  if (terminating_) return outcome(refused(503, "lb is ending"));
  waiting_for_reload_.push_back(outcome);
  reload();
}

std::optional<HealthCheckConfig> Process::own_check(const Server& server) const {
  if (overlay_.added.empty()) return {};
  const PoolConfig& pool = config_->pools.at(server.pool());
  const ServerConfig* entry = entry_of(pool, server.name());
  if (entry == nullptr) return {};
  auto added = overlay_.added.find({server.pool(), entry->name});
  if (added == overlay_.added.end() || !pool.health_check.enabled) return {};
  return lb::own_check(added->second, pool.health_check);
}

}  // namespace lb
