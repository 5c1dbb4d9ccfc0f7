// SPDX-License-Identifier: MIT
// What this machine allows, shared out: connections, and sessions of udp listeners, as descriptors,
// ports and memory allow.
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "app/process.h"
#include "common/log.h"

namespace lb {

namespace {

// How many datagram sockets to the servers of a pool can exist side by side.
uint64_t ports_towards(const PoolConfig& pool, const PortRange& range) {
  uint64_t ports = 0;
  for (const ServerConfig& server : pool.servers) {
    if (!server.host.empty()) return UINT64_MAX;  // as many servers as its name has addresses
    auto same_family = std::count_if(
        pool.source.begin(), pool.source.end(),
        [&](const Address& source) { return source.family() == server.address.family(); });
    ports += uint64_t{range.usable()} * static_cast<uint64_t>(std::max<ptrdiff_t>(same_family, 1));
  }
  return ports;
}

}  // namespace

void Process::plan_connections() {
  size_t others = 0;
  for (const auto& [name, group] : sockets_) others += group->sockets().size();
  if (admin_) others += 1 + admin::HttpLimits{}.connections;
  registry_.for_each([&others](const Server&, const PoolConfig&) { ++others; });  // one check each
  uint32_t wanted = 0;
  std::vector<uint32_t> sessions;
  for (const auto& [name, listener] : config_->listeners) {
    if (listener.protocol == Protocol::udp) {
      sessions.push_back(listener.udp_max_sessions);
    } else {
      wanted = config_->runtime.max_connections;
    }
  }
  DescriptorPlan plan =
      plan_descriptors(raise_descriptor_limit(), workers_, others, wanted, sessions);
  if (lowered_connections_.is_news(wanted, plan.max_connections)) {
    log::warning(
        "runtime.max_connections lowered from {} to {}: this process may open {} descriptors; "
        "raise its limit (ulimit -n, LimitNOFILE=)",
        wanted, plan.max_connections, plan.limit);
  }
  most_connections_ = plan.max_connections;
  limit_connections();
  plan_sessions(*config_, plan);
  keep_reserve();
}

// The limit of descriptors may be changed from outside at any time.
void Process::keep_reserve() {
  size_t listening = 0;
  for (const auto& [name, group] : sockets_) listening += group->sockets().size();
  team_.reserve.begin_at(first_reserved_descriptor(descriptor_limit(), listening));
}

// While memory is short no more may be open than were, and the fewer the less is left: who comes
// waits, and idle connections make room, as at every limit.
void Process::limit_connections() {
  uint32_t most = most_connections_;
  if (held_) most = std::min(most, memory_.share_of(held_->connections));
  if (most != connections_.limit()) connections_.set_limit(most);
}

void Process::look_at_memory() {
  if (version_ == 0) return;  // nothing is planned yet
  bool turned = memory_.note(memory_bounds());
  if (turned) hold_or_release();
  limit_connections();
  if (turned) tell_memory();
  if (memory_.is_low()) {
    for (auto& worker : team_.workers) worker->post_give_back_memory();
  }
  // What sessions give back meanwhile would else stay with the allocator.
  if (memory_.is_on()) malloc_trim(0);
}

void Process::hold_or_release() {
  held_.reset();
  if (memory_.is_on()) {
    held_ = Held{.connections = connections_.open()};
    for (const auto& [name, limit] : listener_limits_) held_->sessions[name] = limit->open();
  }
  for (const auto& [name, listener] : config_->listeners) limit_of(listener);
}

void Process::tell_memory() const {
  const MemoryBound& bound = memory_.tightest();
  log::warning("{}: {} of {} MiB are left of {}{}",
               held_ ? "memory is short" : "memory suffices again", bound.left >> 20,
               bound.limit >> 20, bound.name,
               held_ ? "; open connections go on, new ones wait" : "");
}

// A session takes a descriptor, and a local port of its own for its server.
void Process::plan_sessions(const Config& config, const DescriptorPlan& plan) {
  max_sessions_.clear();
  auto allowed = plan.max_sessions.begin();
  for (const auto& [name, listener] : config.listeners) {
    if (listener.protocol != Protocol::udp) continue;
    uint64_t most = *allowed++;
    const char* why = "descriptors that this process may open (ulimit -n, LimitNOFILE=)";
    uint64_t ports = ports_towards(config.pools.at(listener.pool), ports_.range());
    if (ports < most) {
      most = ports;
      why = "local ports towards its servers (net.ipv4.ip_local_port_range, the pool's source)";
    }
    most = std::max<uint64_t>(std::min<uint64_t>(most, listener.udp_max_sessions), 1);
    max_sessions_[name] = static_cast<uint32_t>(most);
    if (lowered_sessions_[name].is_news(listener.udp_max_sessions, max_sessions_[name])) {
      log::warning(
          "listeners.{}.udp.max_sessions lowered from {} to {}: more are not possible with "
          "the {}",
          name, listener.udp_max_sessions, most, why);
    }
  }
}

// While memory is short a new session takes the place of another.
uint32_t Process::most_sessions(const std::string& listener) const {
  uint32_t most = max_sessions_.at(listener);
  if (!held_) return most;
  auto held = held_->sessions.find(listener);
  return held == held_->sessions.end() ? most : std::clamp(held->second, 1U, most);
}

std::shared_ptr<ConnectionLimit> Process::limit_of(const ListenerConfig& listener) {
  uint32_t most = listener.protocol == Protocol::udp
                      ? most_sessions(listener.name)
                      : listener.max_connections.value_or(ConnectionLimit::kUnlimited);
  auto& limit = listener_limits_[listener.name];
  if (!limit) {
    limit =
        std::make_shared<ConnectionLimit>(most, workers_, [this](size_t worker) { wake(worker); });
  } else if (limit->limit() != most) {
    limit->set_limit(most);
  }
  return limit;
}

// Of listeners that are gone, once no worker has them.
void Process::forget_limits() {
  auto is_unused = [this](const auto& one) {
    return !config_->listeners.contains(one.first) && one.second.use_count() == 1;
  };
  std::erase_if(listener_limits_, is_unused);
  std::erase_if(datagram_limits_, is_unused);
  std::erase_if(client_limits_, is_unused);
  std::erase_if(lowered_sessions_,
                [this](const auto& one) { return !config_->listeners.contains(one.first); });
}

}  // namespace lb
