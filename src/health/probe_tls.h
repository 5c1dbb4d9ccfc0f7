// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "health/probe_connection.h"

namespace lb {

// How a tls or https check of the target speaks TLS.
ProbeTls tls_for(const ProbeMeans& means, const ProbeTarget& target,
                 const HealthCheckConfig& config);

// "certificate until 2026-12-01"
std::string certificate_detail(int64_t ends_s);

}  // namespace lb
