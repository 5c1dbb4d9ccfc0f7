// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
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
  static constexpr size_t kMost = 1024;  // beyond that at once

  explicit LateResets(EventLoop& loop);

  // Nobody else watches `fd` any more. True when it stays open for now: `closed` is called when it
  // is closed, unless this is destroyed before. False when it is closed already.
  bool close(Fd fd, std::function<void()> closed);
  // Waits no longer for any of them.
  void close_all();

 private:
  struct Waiting {
    Fd fd;
    std::function<void()> closed;
    int64_t until_ms;
  };
  void look();
  void close_if(const std::function<bool(const Waiting&)>& due);

  EventLoop& loop_;
  std::vector<Waiting> waiting_;
  Timer timer_;
};

}  // namespace lb
