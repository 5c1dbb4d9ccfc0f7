// SPDX-License-Identifier: MIT
// Who goes where a listener may have no session more: the least recently used of all workers' that
// showed the least of themselves.
#include <algorithm>

#include "l4/udp_frontend.h"

namespace lb {

bool UdpFrontend::evict_one() {
  for (auto& sessions : standings_) {
    if (sessions.empty()) continue;
    UdpSession& victim = sessions.front();
    FlowKey key = victim.key();
    if (victim.batch_first != UdpSession::kNone) send_batch(victim);
    if (table_.find(key) == &victim) end(victim, CloseReason::no_room);
    return true;
  }
  return false;
}

// Where the table is full the least recently used of all workers' sessions goes. This one goes
// ahead where it is another's, so that nobody waits, but not far.
bool UdpFrontend::take_room() {
  ConnectionLimit& limit = *plan().limit;
  while (!limit.take()) {
    size_t oldest = plan().datagrams->ages.oldest(worker().index);
    if (oldest != worker().index && limit.take_ahead(most_ahead())) {
      worker().peers.make_room(config().name, oldest);
      return true;
    }
    if (!evict_one()) return false;
  }
  return true;
}

uint32_t UdpFrontend::most_ahead() const {
  return std::clamp(plan().limit->limit() / 8, 1U, kMostAhead);
}

bool UdpFrontend::room_is_awaited() const {
  const ConnectionLimit& limit = *plan().limit;
  return limit.open() >= uint64_t{limit.limit()} + most_ahead() &&
         plan().datagrams->ages.oldest(worker().index) != worker().index;
}

void UdpFrontend::make_room() {
  if (plan().limit->open() > plan().limit->limit()) evict_one();
}

void UdpFrontend::touched(UdpSession& session) {
  auto& sessions = standings_[static_cast<size_t>(session.standing())];
  bool was_first = &sessions.front() == &session;
  sessions.remove(session);
  sessions.push_back(session);
  if (was_first) tell_age();
}

void UdpFrontend::promote(UdpSession& session, UdpStanding to, UdpStanding& standing) {
  standings_[static_cast<size_t>(standing)].remove(session);
  standing = to;
  standings_[static_cast<size_t>(to)].push_back(session);
  tell_age();
}

void UdpFrontend::tell_age() {
  uint64_t rank = SessionAges::kNone;
  for (size_t standing = kUdpStandings; standing-- > 0;) {
    auto& sessions = standings_[standing];
    if (sessions.empty()) continue;
    rank = uint64_t{standing} << 60 | static_cast<uint64_t>(sessions.front().active_ms());
  }
  plan().datagrams->ages.set(worker().index, rank);
}

}  // namespace lb
