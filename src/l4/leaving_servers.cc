// SPDX-License-Identifier: MIT
#include "l4/leaving_servers.h"

#include <algorithm>
#include <utility>

namespace lb {

void LeavingServers::update(const std::vector<Member>& members, int64_t now_ms, int64_t drain_ms) {
  std::map<const Server*, Leaving> leaving;
  for (const Member& member : members) {
    bool at_once =
        member.status == ServerStatus::unhealthy || member.status == ServerStatus::maintenance;
    if (!at_once && member.status != ServerStatus::draining) continue;
    Leaving next{at_once ? now_ms : now_ms + drain_ms};
    auto known = servers_.find(member.server);
    if (known != servers_.end() && known->second.at_ms <= next.at_ms) next = known->second;
    leaving.emplace(member.server, next);
  }
  servers_.swap(leaving);
}

std::vector<const Server*> LeavingServers::take_due(int64_t now_ms) {
  std::vector<const Server*> due;
  for (auto& [server, leaving] : servers_) {
    if (!leaving.taken && leaving.at_ms <= now_ms) due.push_back(server);
    leaving.taken = leaving.taken || leaving.at_ms <= now_ms;
  }
  return due;
}

int64_t LeavingServers::next_ms() const {
  int64_t next_ms = 0;
  for (const auto& [server, leaving] : servers_) {
    if (leaving.taken) continue;
    next_ms = next_ms == 0 ? leaving.at_ms : std::min(next_ms, leaving.at_ms);
  }
  return next_ms;
}

}  // namespace lb
