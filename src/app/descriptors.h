// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace lb {

// How the process's descriptors are shared out.
struct DescriptorPlan {
  uint64_t limit = 0;            // RLIMIT_NOFILE
  uint32_t max_connections = 0;  // what the limit allows, two descriptors each
  uint32_t max_sessions = 0;     // of udp, one descriptor each
  size_t pipes_per_worker = 0;   // for splice(2), two descriptors each
};

// Raises the soft limit to the hard one.
uint64_t raise_descriptor_limit();

// `others` are needed besides connections and sessions: listening sockets, checks, logs. What does
// not suffice for both is shared out in the proportion of what they want.
DescriptorPlan plan_descriptors(uint64_t limit, size_t workers, size_t others,
                                uint32_t wanted_connections, uint64_t wanted_sessions = 0);

// Decides when to warn that a plan allows fewer connections than wanted: the first time, and when
// the number has moved by more than an eighth since. One thread.
class LoweredConnections {
 public:
  bool is_news(uint32_t wanted, uint32_t planned);

 private:
  uint32_t told_ = 0;  // 0 = none, or no longer so
};

}  // namespace lb
