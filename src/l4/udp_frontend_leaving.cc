// SPDX-License-Identifier: MIT
// How a listener's sessions leave servers that are down, drain or were removed, and sockets of an
// address that is the listener's no more.
#include <algorithm>
#include <chrono>
#include <vector>

#include "l4/udp_frontend.h"
#include "l4/udp_listening.h"
#include "net/socket.h"

namespace lb {

// Their sessions keep them for what is still to be answered, and go to another server with their
// next datagram.
void UdpFrontend::leave_servers() {
  int64_t now_ms = worker().loop.now_ms();
  std::vector<const Server*> due = leaving_.take_due(now_ms);
  if (!due.empty()) {
    for (auto& sessions : standings_) {
      sessions.for_each([&](UdpSession& session) {
        if (std::binary_search(due.begin(), due.end(), session.server())) session.move_on();
      });
    }
  }
  if (int64_t next_ms = leaving_.next_ms(); next_ms != 0) {
    leaving_turn_.start(std::chrono::milliseconds(next_ms - now_ms));
  }
}

void UdpFrontend::look_at_servers() {
  std::vector<Member> members = pool().members();
  for (const auto& [name, former] : former_pools_) {
    members.insert(members.end(), former->members().begin(), former->members().end());
  }
  leaving_.update(members, worker().loop.now_ms(), plan().drain_timeout.count());
  leave_servers();
}

// Those of a removed server have a moment left for what it still answers; a datagram that comes
// meanwhile goes to another one.
void UdpFrontend::leave_server(const Server* server, CloseReason reason) {
  bool at_once = reason != CloseReason::server_removed;
  for (auto& sessions : standings_) {
    sessions.for_each([&](UdpSession& session) {
      if (session.server() != server) return;
      if (at_once) {
        end(session, reason);
      } else {
        session.move_on();
      }
    });
  }
  if (at_once) return;
  departed_.push_back(server);
  departed_turn_.start(std::chrono::milliseconds(kDrainIdle_ms));
}

void UdpFrontend::end_departed() {
  for (auto& sessions : standings_) {
    sessions.for_each([&](UdpSession& session) {
      bool gone =
          std::find(departed_.begin(), departed_.end(), session.server()) != departed_.end();
      if (gone && session.moving()) end(session, CloseReason::server_removed);
    });
  }
  departed_.clear();
}

// What was sent there before is served; then only who has a session.
void UdpFrontend::leave_socket(std::unique_ptr<Listening> gone) {
  if (!gone->left) {
    receive(*gone);
    gone->left = Listening::Left{worker().loop.now_ms() + plan().drain_timeout.count()};
  }
  left_.push_back(std::move(gone));
  if (left_turn_.pending()) return;
  left_turn_.start(std::min(plan().drain_timeout, std::chrono::milliseconds(kLeavingPause_ms)));
}

bool UdpFrontend::is_covered(const Listening& gone) const {
  uint16_t port = local_address(gone.fd()).port();
  return std::any_of(listening_.begin(), listening_.end(), [&](const auto& listening) {
    Address address = local_address(listening->fd());
    return address.is_wildcard() && address.port() == port;
  });
}

// A client that has been silent for a moment is taken to be done, as when the listener goes.
void UdpFrontend::close_left_sockets() {
  int64_t now_ms = worker().loop.now_ms();
  std::vector<std::unique_ptr<Listening>> left;
  left.swap(left_);
  worker().datagrams.writer.flush();
  for (auto& listening : left) {
    bool is_due = listening->left->until_ms <= now_ms;
    bool in_use = !is_due && !newcomers_.empty();
    for (auto& sessions : standings_) {
      sessions.for_each([&](UdpSession& session) {
        if (session.socket() != listening->socket()) return;
        if (is_due) return end(session, CloseReason::listener_removed);
        bool is_silent = session.active_ms() + kDrainIdle_ms <= now_ms;
        if (is_silent) return end(session, CloseReason::idle_timeout);
        in_use = true;
      });
    }
    if (in_use) {
      left_.push_back(std::move(listening));
    } else {
      listening->read(false);
      worker().loop.retire(std::move(listening));
    }
  }
  if (!left_.empty()) left_turn_.start(std::chrono::milliseconds(kLeavingPause_ms));
}

void UdpFrontend::end_sessions(CloseReason reason) {
  while (!newcomers_.empty()) drop(Dropped::draining, newcomers_.pop().arrival.count());
  for (auto& sessions : standings_) {
    sessions.for_each([&](UdpSession& session) { end(session, reason); });
  }
}

}  // namespace lb
