// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "common/fd.h"
#include "common/intrusive_list.h"
#include "net/event_loop.h"

namespace lb {

// A pipe that splice(2) fills from one socket and empties into another.
struct Pipe : ListHook {
  Fd read_end;
  Fd write_end;
  size_t capacity = 0;                      // bytes
  size_t held = 0;                          // bytes in it; its user counts them
  bool used = true;                         // since the pool looked; its user sets it
  std::unique_ptr<Pipe>* holder = nullptr;  // where it is lent to, if it may be taken back
};

// The pipes of one worker: a bounded number, each of kPipeSize, a few kept while unused. One that
// is lent to a stream which falls silent comes back by itself. Worker thread.
class PipePool {
 public:
  // 512 KiB: larger ones win nothing measurable, and what a stalled stream may hold stays small.
  static constexpr size_t kPipeSize = 512 * 1024;
  static constexpr size_t kKeepUnused = 8;

  // An empty pipe that is not used for so long, at most twice, is taken back.
  static constexpr std::chrono::milliseconds kSilence{500};

  PipePool(EventLoop& loop, size_t limit);

  // Takes that are turned down unasked after the system gave nothing.
  static constexpr size_t kTurnedDown = 1000;

  // An empty pipe, or nothing when the limit is reached or the system gives no descriptors or pipe
  // pages (an unprivileged user may hold 16,384 of them): the caller goes on copying.
  std::unique_ptr<Pipe> take();
  // Lets the pool take the pipe out of `holder` while it is empty and not used. `holder` stays
  // where it is until the pipe was given back.
  void lend(std::unique_ptr<Pipe>& holder);
  // Gives a pipe back; one that still holds bytes is closed instead.
  void give_back(std::unique_ptr<Pipe> pipe);
  // Those that are kept for the next stream.
  void close_unused() { unused_.clear(); }
  size_t in_use() const { return in_use_; }

 private:
  std::unique_ptr<Pipe> open_pipe();
  void take_back_silent();

  const size_t limit_;
  size_t in_use_ = 0;
  size_t to_turn_down_ = 0;
  std::vector<std::unique_ptr<Pipe>> unused_;
  IntrusiveList<Pipe> lent_;
  Timer look_;  // while any is lent
};

}  // namespace lb
