// SPDX-License-Identifier: MIT
#include "app/usable_cpus.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace lb {

namespace {

// "/a/b" of the line "0::/a/b"; empty where there is no unified hierarchy.
std::string own_group() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return "";
}

}  // namespace

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
  for (std::string group = own_group(); !group.empty(); group.resize(group.rfind('/'))) {
    std::ifstream file("/sys/fs/cgroup" + group + "/cpu.max");
    std::string line;
    std::getline(file, line);
    if (size_t allowed = cpus_of_quota(line)) cpus = std::min(cpus, allowed);
  }
  return cpus;
}

}  // namespace lb
