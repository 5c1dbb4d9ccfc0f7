// SPDX-License-Identifier: MIT
// GET /api/health: the balancer as a whole, for whatever checks it. Its answer stands bare.
#include <map>
#include <string>

#include "admin/answers.h"
#include "admin/api.h"

namespace lb::admin {

namespace {

void get_health(const Call& call) {
  auto servers = call.control.server_statuses();
  size_t total = 0;
  for (const auto& [name, count] : servers) total += count;
  std::string_view status = verdict(call.control.pools());
  Json body = {{"status", status},
               {"servers",
                {{"total", total},
                 {"healthy", servers["healthy"] + servers["overloaded"]},
                 {"unhealthy", servers["unhealthy"] + servers["ejected"]}}},
               {"uptime", call.control.uptime_ms()}};
  call.answer.send({.status = status == "unhealthy" ? 503 : 200, .body = to_text(body) + "\n"});
}

}  // namespace

std::string_view verdict(const std::vector<PoolView>& pools) {
  size_t used = 0;
  size_t usable = 0;
  for (const PoolView& pool : pools) {
    if (pool.listeners.empty()) continue;
    ++used;
    if (pool.usable_servers > 0) ++usable;
  }
  if (usable == used) return "healthy";
  return usable == 0 ? "unhealthy" : "degraded";
}

std::vector<Route> health_routes() {
  return {{"GET", "/api/health", get_health}};
}

}  // namespace lb::admin
