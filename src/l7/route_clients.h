// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "config/http_config.h"
#include "l7/sticky_cookies.h"
#include "l7/token_check.h"
#include "pool/pool.h"

namespace lb {

// What the clients of one route are known by: whose tokens the route goes by, and how each of its
// pools makes them stay.
struct RouteClients {
  TokenRule rule;  // of the route itself
  struct OfPool {
    TokenRule token;                               // where it sticks by tokens
    size_t claim = 0;                              // of that token
    std::shared_ptr<const StickyCookies> cookies;  // where it gives them
  };
  std::vector<OfPool> pools;  // by share
};

using PoolsOfRoutes = std::vector<std::vector<std::shared_ptr<const Pool>>>;

// By route. Cookies that `before` (null: nothing) has are kept where nothing of theirs changed;
// `cookie_key` signs those of pools without keys of their own.
std::vector<RouteClients> know_clients(const std::vector<HttpRoute>& routes,
                                       const PoolsOfRoutes& pools, const JwtVerifiers& verifiers,
                                       const std::string& cookie_key,
                                       const std::vector<RouteClients>* before);

// The token that every request which goes to a server is asked for, whatever its route; nobody's
// where there is none.
TokenRule expected_token(const std::vector<RouteClients>& clients);

}  // namespace lb
