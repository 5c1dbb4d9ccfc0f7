// SPDX-License-Identifier: MIT
#include "app/worker.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "common/clock.h"
#include "common/named_thread.h"
#include "l4/tcp_frontend.h"
#include "l4/udp_frontend.h"
#include "l7/http_frontend.h"
#include "net/socket.h"

namespace lb {

namespace {

// Whoever is let in asks again if more wait.
constexpr size_t kIdleAtOnce = 1;

std::unique_ptr<Frontend> make_frontend(WorkerContext& worker, HttpTools& http, FrontendPlan plan) {
  switch (plan.config->protocol) {
    case Protocol::udp:
      return std::make_unique<UdpFrontend>(worker, std::move(plan));
    case Protocol::http:
      return std::make_unique<HttpFrontend>(http, std::move(plan));
    case Protocol::tcp:
      break;
  }
  return std::make_unique<TcpFrontend>(worker, std::move(plan));
}

}  // namespace

Worker::Worker(size_t index, WorkerTeam& team, size_t pipe_limit)
    : index_(index),
      team_(team),
      mailbox_(loop_),
      timeouts_(loop_),
      relay_(loop_, pipe_limit),
      resets_(loop_),
      datagrams_(loop_),
      context_{.index = index,
               .loop = loop_,
               .mailbox = mailbox_,
               .timeouts = timeouts_,
               .relay = relay_,
               .resets = resets_,
               .datagrams = datagrams_,
               .ports = team.ports,
               .control = team.reports,
               .peers = *this,
               .connections = team.connections,
               .random_state = mix64(static_cast<uint64_t>(monotonic_us()) + index)} {}

Worker::~Worker() {
  stop();
}

void Worker::start() {
  thread_ = start_thread("lb-worker-" + std::to_string(index_), [this] {
    LeavesReserve leaves(team_.reserve);
    loop_.run();
  });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  mailbox_.post([this] { loop_.stop(); });
  thread_.join();
}

void Worker::post_snapshot(std::shared_ptr<const Snapshot> snapshot) {
  mailbox_.post([this, snapshot = std::move(snapshot)]() mutable { adopt(std::move(snapshot)); });
}

void Worker::post_resume_accepting() {
  mailbox_.post([this] {
    for (auto& [name, frontend] : frontends_) frontend->resume_accepting();
  });
}

void Worker::post_give_back_memory() {
  mailbox_.post([this] {
    http_.servers.end_idle();
    relay_.pipes.close_unused();
  });
}

void Worker::post_end_sessions(const Server* server, CloseReason reason) {
  mailbox_.post([this, server, reason] {
    for_each_frontend([&](Frontend& frontend) { frontend.leave_server(server, reason); });
  });
}

void Worker::post_drain() {
  mailbox_.post([this] {
    draining_ = true;
    report_if_drained();
  });
}

void Worker::adopt(std::shared_ptr<const Snapshot> snapshot) {
  for (const auto& [name, listener] : snapshot->listeners) {
    FrontendPlan plan{.config = listener.config,
                      .pool = listener.pool,
                      .limit = listener.limit,
                      .sockets = listener.sockets[index_],
                      .tls = listener.tls,
                      .routed = listener.routed,
                      .datagrams = listener.datagrams,
                      .clients = listener.clients,
                      .drain_timeout = snapshot->drain_timeout,
                      .protocol_plan = listener.protocol_plan,
                      .access_log = listener.access_log,
                      .tracing = listener.tracing,
                      .stats = listener.stats};
    Protocol protocol = listener.config->protocol;
    auto& frontend = frontends_[name];
    if (frontend && frontend->config().protocol != protocol) {
      remove(name, std::exchange(frontend, nullptr));
    }
    if (!frontend) frontend = take_back(name, protocol);
    if (frontend) {
      frontend->update(std::move(plan));
    } else {
      frontend = make_frontend(context_, http_, std::move(plan));
    }
  }
  std::swap(snapshot_, snapshot);
  for (auto it = frontends_.begin(); it != frontends_.end();) {
    if (snapshot_->listeners.contains(it->first)) {
      ++it;
    } else {
      remove(it->first, std::move(it->second));
      it = frontends_.erase(it);
    }
  }
  // A listener that takes over another's address has the same sockets.
  for_each_frontend([this](Frontend& frontend) {
    if (!frontend.has_left_sockets()) return;
    for (auto& [name, heir] : frontends_) {
      if (heir.get() != &frontend) frontend.hand_over_sockets(*heir);
    }
  });
  forget_idle_connections();
  // Those that still look for a server find today's, or, where their pool is gone, those it had.
  for (Removed& removed : removed_) {
    removed.frontend->set_pools(snapshot_->pools);
  }
  // Sessions of datagrams stay where they are when their listener gets another pool.
  for (auto& [name, frontend] : frontends_) {
    if (frontend->config().protocol == Protocol::udp) frontend->set_pools(snapshot_->pools);
  }
  for (const auto& [name, pool] : snapshot_->pools) pool->let_waiters_try();
  team_.loads[index_].version.store(snapshot_->version, std::memory_order_release);
  // The old one goes along, to be freed there.
  team_.control.post([team = &team_, old = std::move(snapshot)] { team->on_adopted(); });
}

// Of servers that are gone: they may be freed once this snapshot is taken up everywhere.
void Worker::forget_idle_connections() {
  if (http_.servers.empty()) return;
  std::unordered_set<const Server*> members;
  for (const auto& [name, pool] : snapshot_->pools) {
    for (const Member& member : pool->members()) members.insert(member.server);
  }
  http_.servers.forget_unless([&](const Server* server) { return members.contains(server); });
}

void Worker::remove(const std::string& listener, std::unique_ptr<Frontend> frontend) {
  frontend->stop_accepting();
  Removed removed{listener, std::move(frontend), nullptr};
  removed.end = std::make_unique<Timer>(loop_, [this, gone = removed.frontend.get()] {
    gone->end_sessions(draining_ ? CloseReason::shutting_down : CloseReason::listener_removed);
    for (auto it = removed_.begin(); it != removed_.end(); ++it) {
      if (it->frontend.get() != gone) continue;
      loop_.retire(std::move(it->end));
      loop_.retire(std::move(it->frontend));
      removed_.erase(it);
      break;
    }
    if (draining_ && removed_.empty()) resets_.close_all();
  });
  removed.end->start(snapshot_->drain_timeout);
  removed_.push_back(std::move(removed));
}

bool Worker::pass_on(const std::string& listener, const std::shared_ptr<ConnectionLimit>& limit,
                     Fd& client, const Address& peer) {
  auto& loads = team_.loads;
  auto movable = [&](size_t i) {
    uint32_t flows = loads[i].flows.load(std::memory_order_relaxed);
    return std::max(loads[i].sessions.load(std::memory_order_relaxed), flows) - flows;
  };
  uint32_t mine = movable(index_);
  if (mine == 0) return false;
  size_t target = index_;
  uint32_t least = mine;
  for (size_t i = 0; i < loads.size(); ++i) {
    uint32_t sessions = movable(i);
    // One that is a snapshot behind may not know the listener yet.
    if (sessions < least &&
        loads[i].version.load(std::memory_order_acquire) >= snapshot_->version) {
      least = sessions;
      target = i;
    }
  }
  if (target == index_ || mine <= least + least / 8) return false;
  loads[target].sessions.fetch_add(1, std::memory_order_relaxed);
  Worker* other = team_.workers[target].get();
  other->mailbox_.post([other, listener, limit, fd = std::move(client), peer]() mutable {
    other->take_over(listener, *limit, std::move(fd), peer);
  });
  return true;
}

void Worker::take_over(const std::string& listener, ConnectionLimit& limit, Fd client,
                       const Address& peer) {
  Frontend* frontend = find(listener);
  if (frontend != nullptr && frontend->serve(client, peer)) return;
  // Its listener was removed, and its last session ended, while the connection was on its way.
  set_reset_on_close(client.get());
  limit.give_back();
  team_.connections.give_back();
  session_closed();
}

// A listener that is back before its connections have ended goes on with them.
std::unique_ptr<Frontend> Worker::take_back(const std::string& listener, Protocol protocol) {
  auto it = std::find_if(removed_.begin(), removed_.end(), [&](const Removed& removed) {
    return removed.listener == listener && removed.frontend->config().protocol == protocol;
  });
  if (it == removed_.end()) return nullptr;
  std::unique_ptr<Frontend> frontend = std::move(it->frontend);
  removed_.erase(it);
  return frontend;
}

Frontend* Worker::find(const std::string& listener) {
  if (auto it = frontends_.find(listener); it != frontends_.end()) return it->second.get();
  for (Removed& removed : removed_) {
    if (removed.listener == listener) return removed.frontend.get();
  }
  return nullptr;
}

void Worker::for_each_frontend(const std::function<void(Frontend&)>& visit) {
  for (auto& [name, frontend] : frontends_) visit(*frontend);
  for (Removed& removed : removed_) visit(*removed.frontend);
}

void Worker::session_opened() {
  team_.loads[index_].sessions.fetch_add(1, std::memory_order_relaxed);
}

void Worker::session_closed() {
  team_.loads[index_].sessions.fetch_sub(1, std::memory_order_relaxed);
  if (draining_) report_if_drained();
}

void Worker::flow_opened() {
  session_opened();
  team_.loads[index_].flows.fetch_add(1, std::memory_order_relaxed);
}

void Worker::flow_closed() {
  team_.loads[index_].flows.fetch_sub(1, std::memory_order_relaxed);
  session_closed();
}

void Worker::make_room(const std::string& listener, size_t worker) {
  Worker* other = team_.workers[worker].get();
  other->mailbox_.post([other, listener] {
    if (Frontend* frontend = other->find(listener)) frontend->make_room();
  });
}

bool Worker::end_idle(const std::string& listener, Acceptor::Lack lack) {
  bool may_have = false;
  for (const auto& [name, frontend] : frontends_) {
    bool concerned = lack != Acceptor::Lack::listener_limit || name == listener;
    may_have = may_have || (concerned && frontend->has_idle());
  }
  if (!may_have || end_idle_here(listener, lack) > 0) return may_have;
  for (auto& other : team_.workers) {
    if (other.get() == this) continue;
    other->mailbox_.post(
        [other = other.get(), listener, lack] { other->end_idle_here(listener, lack); });
  }
  return true;
}

// Connections to servers go where descriptors are short: clients do not notice.
size_t Worker::end_idle_here(const std::string& listener, Acceptor::Lack lack) {
  if (lack == Acceptor::Lack::descriptors && !http_.servers.empty()) {
    http_.servers.end_idle();
  }
  size_t ended = 0;
  for (auto& [name, frontend] : frontends_) {
    if (lack == Acceptor::Lack::listener_limit && name != listener) continue;
    ended += frontend->end_idle(kIdleAtOnce - ended);
  }
  return ended;
}

void Worker::report_if_drained() {
  if (team_.loads[index_].sessions.load(std::memory_order_relaxed) > 0) return;
  team_.control.post([team = &team_, worker = index_] { team->on_drained(worker); });
}

}  // namespace lb
