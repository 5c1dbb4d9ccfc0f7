// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "health/probe.h"

namespace lb {

// One function for each type of check, for make_probe() to choose from.

// Connects; sends `send` and compares the answer with `expect` where they are given.
std::unique_ptr<Probe> make_tcp_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config);

}  // namespace lb
