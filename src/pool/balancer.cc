// SPDX-License-Identifier: MIT
#include "pool/balancer.h"

#include <cstdlib>

namespace lb {

bool is_hash(Balance algorithm) {
  return algorithm == Balance::source_ip_hash || algorithm == Balance::hash;
}

std::unique_ptr<Balancer> make_balancer(const PoolConfig& config,
                                        const std::vector<Candidate>& candidates,
                                        std::atomic<uint64_t>& cursor) {
  switch (config.balance) {
    case Balance::round_robin:
      return make_round_robin(candidates, cursor);
    case Balance::least_connections:
      return make_least_connections(candidates, cursor);
    case Balance::least_response_time:
      return make_least_response_time(candidates);
    case Balance::least_load:
      return make_least_load(candidates, config.load_metric, cursor);
    case Balance::source_ip_hash:
    case Balance::hash:
      return make_hash(candidates);
    case Balance::random:
      return make_random(candidates);
  }
  std::abort();
}

}  // namespace lb
