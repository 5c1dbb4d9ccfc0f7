// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/cidr.h"

namespace lb {

// One of a listener's `routes` as plain data: the first whose conditions all hold wins.

// What must hold; a condition that is empty always does.
struct RouteMatch {
  std::vector<std::string> sni;   // one of them, in lower case: exact, or *.example.com
  std::optional<CidrSet> source;  // the client's address
};

// A pool that a route leads to, and its share of the clients.
struct RouteShare {
  std::string pool;
  uint32_t weight = 1;
};

struct RouteConfig {
  RouteMatch match;
  std::vector<RouteShare> shares;  // `pool` is one, `split` may be several
};

}  // namespace lb
