// SPDX-License-Identifier: MIT
#include "pool/frontend.h"

#include <algorithm>

#include "common/log.h"

namespace lb {

void Frontend::set_pools(const Pools& pools) {
  auto renew = [&pools](const std::string& name, std::shared_ptr<const Pool>& pool) {
    auto found = pools.find(name);
    if (found != pools.end() && !found->second->members().empty()) pool = found->second;
  };
  renew(plan_.config->pool, plan_.pool);
  for (auto& [name, pool] : plan_.routed) renew(name, pool);
}

// A peer at a unix socket has no address that could be listed: the permissions of the socket say
// who it is.
bool Frontend::header_follows(const Address& peer) const {
  const auto& trusted = plan_.config->proxy_protocol_trusted;
  return trusted && (peer.is_unix() || trusted->contains(peer));
}

bool Frontend::reads(const std::shared_ptr<const Fd>& socket) const {
  return std::find(plan_.sockets.begin(), plan_.sockets.end(), socket) != plan_.sockets.end();
}

bool Frontend::admits(const Address& client) const {
  if (plan_.config->deny.contains(client)) return false;
  return !plan_.config->allow || client.is_unix() || plan_.config->allow->contains(client);
}

void Frontend::note_refused(CloseReason reason) {
  ++refused_;
  int64_t now_ms = worker_.loop.now_ms();
  if (refused_warned_ms_ != 0 && now_ms - refused_warned_ms_ < kRefusedPause_ms) return;
  log::warning("listener {}: {} client{} refused since the last such line: {}", plan_.config->name,
               refused_, refused_ == 1 ? "" : "s", to_string(reason));
  refused_ = 0;
  refused_warned_ms_ = now_ms;
}

}  // namespace lb
