// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "common/fd.h"

namespace lb {

// A pipe that splice(2) fills from one socket and empties into another.
struct Pipe {
  Fd read_end;
  Fd write_end;
  size_t capacity = 0;  // bytes
};

// The pipes of one worker: a bounded number, each of kPipeSize, a few kept while unused. Worker
// thread.
class PipePool {
 public:
  // 512 KiB: larger ones win nothing measurable, and what a stalled stream may hold stays small.
  static constexpr size_t kPipeSize = 512 * 1024;
  static constexpr size_t kKeepUnused = 8;

  explicit PipePool(size_t limit) : limit_(limit) {}

  // Takes that are turned down unasked after the system gave nothing.
  static constexpr size_t kTurnedDown = 1000;

  // An empty pipe, or nothing when the limit is reached or the system gives no descriptors or pipe
  // pages (an unprivileged user may hold 16,384 of them): the caller goes on copying.
  std::unique_ptr<Pipe> take();
  // Gives a pipe back; one that still holds bytes is closed instead.
  void give_back(std::unique_ptr<Pipe> pipe, bool is_empty);
  size_t in_use() const { return in_use_; }

 private:
  std::unique_ptr<Pipe> open_pipe();

  const size_t limit_;
  size_t in_use_ = 0;
  size_t to_turn_down_ = 0;
  std::vector<std::unique_ptr<Pipe>> unused_;
};

}  // namespace lb
