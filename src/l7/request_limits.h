// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/address.h"
#include "config/http_config.h"
#include "l7/http_message.h"
#include "l7/route_clients.h"
#include "net/rate_limit.h"

namespace lb {

// What one route's requests count by.
struct RouteLimit {
  std::shared_ptr<SourceRates> rates;  // null: they are not limited
  size_t claim = 0;                    // of the token, where they count by one
};

// How often clients may ask, of the listener as a whole and of each of its routes. The table of a
// limit outlives a reload that keeps the route's conditions and what its requests count by. Any
// thread.
struct RequestLimits {
  std::shared_ptr<SourceRates> by_source;  // null: none
  std::vector<RouteLimit> by_route;
};

// `before`: what the listener had, and for which routes; null: nothing.
RequestLimits make_request_limits(const HttpListenerConfig& config,
                                  const std::vector<RouteClients>& clients,
                                  const RequestLimits* before,
                                  const std::vector<HttpRoute>* before_routes);

// What a request counts by. Where it lacks the header, or a claim that the route's tokens have, its
// source stands in. `token`: the route's, null if it has none.
uint64_t limit_key(const RequestLimit& limit, size_t claim, const RequestHead& head,
                   const VerifiedToken* token, const Address& source);

}  // namespace lb
