// SPDX-License-Identifier: MIT
#include "app/usable_cpus.h"

#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/control_groups.h"

namespace lb {

size_t cpus_of_quota(const std::string& cpu_max) {
  std::istringstream text(cpu_max);
  size_t quota_us = 0;
  size_t period_us = 0;
  if (!(text >> quota_us >> period_us) || quota_us == 0 || period_us == 0) return 0;
  return (quota_us + period_us - 1) / period_us;
}

size_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  size_t cpus = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    cpus = static_cast<size_t>(std::max(1, CPU_COUNT(&set)));
  }
  for (const std::filesystem::path& group : control_groups()) {
    std::ifstream file(group / "cpu.max");
    std::string line;
    std::getline(file, line);
    if (size_t allowed = cpus_of_quota(line)) cpus = std::min(cpus, allowed);
  }
  return cpus;
}

}  // namespace lb
