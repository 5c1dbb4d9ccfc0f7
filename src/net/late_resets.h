// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "common/fd.h"
#include "net/event_loop.h"

namespace lb {

// Closes connections by a reset, but not before the peer has acknowledged what was written to it: a
// reset throws away what the kernel has yet to send, and those bytes were sent in good faith before
// the other end broke. Looks every 20 ms, for at most five seconds each. Loop thread.
class LateResets {
 public:
  static constexpr std::chrono::milliseconds kLook{20};
  static constexpr int64_t kLongest_ms = 5000;
  static constexpr size_t kMost = 64;  // beyond that at once

  explicit LateResets(EventLoop& loop);

  // Nobody else watches `fd` any more.
  void close(Fd fd);

 private:
  struct Waiting {
    Fd fd;
    int64_t until_ms;
  };
  void look();

  EventLoop& loop_;
  std::vector<Waiting> waiting_;
  Timer timer_;
};

}  // namespace lb
