// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

namespace lb {

// How many CPUs this process may use: its affinity, and the CPU time that its control group and the
// groups above it allow (cgroup v2, cpu.max), rounded up. At least 1. Start only; reads files.
size_t usable_cpus();

// What a cpu.max file ("200000 100000", "max 100000") allows; 0 = no limit.
size_t cpus_of_quota(const std::string& cpu_max);

}  // namespace lb
