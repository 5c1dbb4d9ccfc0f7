// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "pool/pool.h"

namespace lb {

// Servers of a pool whose sessions are to leave them: at once where they are down or in
// maintenance, after a while where they drain. One worker.
class LeavingServers {
 public:
  // What the pool's members are now. One that drains is left `drain_ms` after it was first seen so.
  void update(const std::vector<Member>& members, int64_t now_ms, int64_t drain_ms);
  // Those whose time has come, each once, sorted.
  std::vector<const Server*> take_due(int64_t now_ms);
  // When the next one's time comes; 0 = none waits.
  int64_t next_ms() const;

 private:
  struct Leaving {
    int64_t at_ms;
    bool taken = false;
  };
  std::map<const Server*, Leaving> servers_;
};

}  // namespace lb
