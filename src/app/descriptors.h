// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/result.h"

namespace lb {

// How the process's descriptors are shared out.
struct DescriptorPlan {
  uint64_t limit = 0;                       // RLIMIT_NOFILE
  uint32_t max_connections = 0;             // what the limit allows, two descriptors each
  std::vector<uint32_t> max_sessions = {};  // of each udp listener, one descriptor each
  size_t pipes_per_worker = 0;              // for splice(2), two descriptors each
};

// Where standard input, output or error is closed, /dev/null takes its place, so that no socket or
// file ever does. Before anything else is opened.
void fill_standard_descriptors();

// Raises the soft limit to the hard one.
uint64_t raise_descriptor_limit();

// What it is now.
uint64_t descriptor_limit();

// Whether a process of so many workers can start at all; says what to do.
Status<> enough_descriptors(uint64_t limit, size_t workers);

// `others` are needed besides connections and sessions: listening sockets, checks, logs. Where the
// rest does not suffice who wants little gets all of it, and those who want more than an equal
// share get as much as each other.
DescriptorPlan plan_descriptors(uint64_t limit, size_t workers, size_t others,
                                uint32_t wanted_connections,
                                const std::vector<uint32_t>& wanted_sessions = {});

// The first number of the reserve that workers leave alone (DescriptorReserve): 32 for what control
// does at once, and one for each listening socket, whose worker may hold a client there. Never more
// than half of all.
int first_reserved_descriptor(uint64_t limit, size_t listening_sockets);

// Decides when to warn that a plan allows fewer connections than wanted: the first time, and when
// the number has moved by more than an eighth since. One thread.
class LoweredConnections {
 public:
  bool is_news(uint32_t wanted, uint32_t planned);

 private:
  uint32_t told_ = 0;  // 0 = none, or no longer so
};

}  // namespace lb
