// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "health/probe.h"

namespace lb {

// One function for each type of check, for make_probe() to choose from.

// Connects; sends `send` and compares the answer with `expect` where they are given.
std::unique_ptr<Probe> make_tcp_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config);
// Shakes hands by TLS.
std::unique_ptr<Probe> make_tls_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config);
// One HTTP/1.1 request, for https by TLS; judges status and body, reads a load report from header
// or body.
std::unique_ptr<Probe> make_http_probe(const ProbeMeans& means, const ProbeTarget& target,
                                       const HealthCheckConfig& config);
// grpc.health.v1 over HTTP/2 without TLS.
std::unique_ptr<Probe> make_grpc_probe(const ProbeMeans& means, const ProbeTarget& target,
                                       const HealthCheckConfig& config);
// One query over UDP; passes when it is answered without an error.
std::unique_ptr<Probe> make_dns_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config);
// Reads the line of HAProxy's agent-check.
std::unique_ptr<Probe> make_agent_probe(const ProbeMeans& means, const ProbeTarget& target);

// How the target is called in Host and :authority where the configuration does not say.
std::string authority(const ProbeTarget& target);

// Exit 0 of the command passes.
std::unique_ptr<Probe> make_script_probe(const ProbeMeans& means, const ProbeTarget& target,
                                         const HealthCheckConfig& config);
// These log in, and keep their session.
std::unique_ptr<Probe> make_postgres_probe(const ProbeMeans& means, const ProbeTarget& target,
                                           const HealthCheckConfig& config);
std::unique_ptr<Probe> make_mysql_probe(const ProbeMeans& means, const ProbeTarget& target,
                                        const HealthCheckConfig& config);
std::unique_ptr<Probe> make_redis_probe(const ProbeMeans& means, const ProbeTarget& target,
                                        const HealthCheckConfig& config);

}  // namespace lb
