// SPDX-License-Identifier: MIT
#include "config/route.h"

#include "config/config.h"

namespace lb {

std::set<std::string> pools_of(const ListenerConfig& listener) {
  std::set<std::string> pools;
  if (!listener.pool.empty()) pools.insert(listener.pool);
  for (const RouteConfig& route : listener.routes) {
    for (const RouteShare& share : route.shares) pools.insert(share.pool);
  }
  for (const HttpRoute& route : listener.http.routes) {
    for (const PoolShare& share : route.pools) pools.insert(share.pool);
  }
  return pools;
}

}  // namespace lb
