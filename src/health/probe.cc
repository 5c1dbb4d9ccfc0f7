// SPDX-License-Identifier: MIT
#include "health/probe.h"

#include <cstdlib>

#include "common/log.h"
#include "health/probes.h"

namespace lb {

std::unique_ptr<Probe> make_probe(const ProbeMeans& means, const ProbeTarget& target,
                                  const HealthCheckConfig& config) {
  switch (config.type) {
    case CheckType::tcp:
      return make_tcp_probe(means, target, config);
    case CheckType::script:
      return make_script_probe(means, target, config);
    case CheckType::postgres:
      return make_postgres_probe(means, target, config);
    case CheckType::mysql:
      return make_mysql_probe(means, target, config);
    case CheckType::redis:
      return make_redis_probe(means, target, config);
    case CheckType::tls:
      return make_tls_probe(means, target, config);
    case CheckType::http:
    case CheckType::https:
      return make_http_probe(means, target, config);
    case CheckType::grpc:
      return make_grpc_probe(means, target, config);
    case CheckType::dns:
      return make_dns_probe(means, target, config);
    case CheckType::agent:
      return make_agent_probe(means, target);
  }
  std::abort();
}

std::string authority(const ProbeTarget& target) {
  if (!target.address.is_ip()) return "localhost";
  if (target.host.empty()) return target.address.to_string();
  return fmt::format("{}:{}", target.host, target.address.port());
}

}  // namespace lb
