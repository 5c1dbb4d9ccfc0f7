// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "common/fd.h"
#include "net/connection_limit.h"
#include "net/event_loop.h"

namespace lb {

// Closes connections by a reset, but not before the peer has acknowledged what was written to it: a
// reset throws away what the kernel has yet to send, and those bytes were sent in good faith before
// the other end broke. Looks every 20 ms, for at most five seconds each. Loop thread.
class LateResets {
 public:
  static constexpr std::chrono::milliseconds kLook{20};
  static constexpr int64_t kLongest_ms = 5000;
  static constexpr size_t kMost = 1024;  // beyond that at once

  explicit LateResets(EventLoop& loop);

  // Nobody else watches `fd` any more. While it stays open it still counts at `limits`, which then
  // outlive this; false when it is closed already, and the counts are still the caller's.
  bool close(Fd fd, const std::vector<ConnectionLimit*>& limits);

 private:
  struct Waiting {
    Fd fd;
    std::vector<ConnectionLimit*> limits;
    int64_t until_ms;
  };
  void look();

  EventLoop& loop_;
  std::vector<Waiting> waiting_;
  Timer timer_;
};

}  // namespace lb
