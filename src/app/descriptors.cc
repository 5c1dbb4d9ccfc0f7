// SPDX-License-Identifier: MIT
#include "app/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "common/log.h"

namespace lb {

namespace {

constexpr uint64_t kPerWorker = 16;  // its loop, mailbox, and what libevent holds
constexpr uint64_t kReserve = 32;    // some admin requests, some checks, a log
constexpr uint64_t kProcess = 32 + kReserve;

// What each may have at most, so that all of them together have no more than `left`.
uint64_t equal_share(uint64_t left, std::vector<uint64_t> wanted) {
  std::sort(wanted.begin(), wanted.end());
  for (size_t i = 0; i < wanted.size(); ++i) {
    uint64_t share = left / (wanted.size() - i);
    if (wanted[i] > share) return share;
    left -= wanted[i];
  }
  return UINT64_MAX;
}

}  // namespace

void fill_standard_descriptors() {
  int fd = open("/dev/null", O_RDWR);  // the lowest that is free
  while (fd >= 0 && fd <= STDERR_FILENO) fd = dup(fd);
  if (fd > STDERR_FILENO) close(fd);
}

uint64_t descriptor_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

Status<> enough_descriptors(uint64_t limit, size_t workers) {
  uint64_t least = kProcess + workers * kPerWorker;
  if (limit >= least) return Done{};
  return fail(fmt::format(
      "this process may open {} descriptors, and {} workers need {} before the first client: raise "
      "its limit (ulimit -n, LimitNOFILE=)",
      limit, workers, least));
}

DescriptorPlan plan_descriptors(uint64_t limit, size_t workers, size_t others,
                                uint32_t wanted_connections,
                                const std::vector<uint32_t>& wanted_sessions) {
  DescriptorPlan plan{.limit = limit};
  // An eighth of all for pipes: a stream without one is copied, which costs time but works.
  plan.pipes_per_worker = std::min<size_t>(256, limit / 8 / 2 / workers);
  uint64_t taken = plan.pipes_per_worker * workers * 2 + workers * kPerWorker + others + kProcess;
  uint64_t left = limit > taken ? limit - taken : 2;
  std::vector<uint64_t> wanted(wanted_sessions.begin(), wanted_sessions.end());
  wanted.push_back(uint64_t{2} * wanted_connections);
  uint64_t most = equal_share(left, wanted);
  for (uint32_t sessions : wanted_sessions) {
    plan.max_sessions.push_back(static_cast<uint32_t>(std::min<uint64_t>(sessions, most)));
  }
  plan.max_connections = static_cast<uint32_t>(
      std::min<uint64_t>(wanted_connections, std::max<uint64_t>(most / 2, 1)));
  return plan;
}

int first_reserved_descriptor(uint64_t limit, size_t listening_sockets) {
  uint64_t first = limit - std::min(limit / 2, kReserve + listening_sockets);
  return static_cast<int>(std::min<uint64_t>(first, INT_MAX));
}

bool LoweredConnections::is_news(uint32_t wanted, uint32_t planned) {
  if (planned >= wanted) {
    told_ = 0;
    return false;
  }
  uint32_t moved = planned > told_ ? planned - told_ : told_ - planned;
  if (told_ != 0 && moved <= told_ / 8) return false;
  told_ = planned;
  return true;
}

}  // namespace lb
