// SPDX-License-Identifier: MIT
// How a listener's sessions leave servers that are down, drain or were removed.
#include <algorithm>
#include <chrono>
#include <vector>

#include "l4/udp_frontend.h"

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
  leaving_.update(pool().members(), worker().loop.now_ms(), plan().drain_timeout.count());
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

void UdpFrontend::end_sessions(CloseReason reason) {
  for (auto& sessions : standings_) {
    sessions.for_each([&](UdpSession& session) { end(session, reason); });
  }
}

}  // namespace lb
