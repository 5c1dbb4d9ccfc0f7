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
    case CheckType::tls:
    case CheckType::http:
    case CheckType::https:
    case CheckType::grpc:
    case CheckType::dns:
    case CheckType::script:
    case CheckType::agent:
    case CheckType::postgres:
    case CheckType::mysql:
    case CheckType::redis:
      break;  // no configuration with them is accepted
  }
  log::error("a check of a type that this version does not have");
  std::abort();
}

}  // namespace lb
