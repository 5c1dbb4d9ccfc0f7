// SPDX-License-Identifier: MIT
#include "net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace lb {

std::unique_ptr<Pipe> PipePool::take() {
  if (in_use_ >= limit_) return nullptr;
  if (!unused_.empty()) {
    std::unique_ptr<Pipe> pipe = std::move(unused_.back());
    unused_.pop_back();
    ++in_use_;
    return pipe;
  }
  // A stream that copies asks every 192 KiB, and opening in vain costs four calls.
  if (to_turn_down_ > 0) {
    --to_turn_down_;
    return nullptr;
  }
  auto pipe = open_pipe();
  if (pipe) {
    ++in_use_;
  } else {
    to_turn_down_ = kTurnedDown;
  }
  return pipe;
}

std::unique_ptr<Pipe> PipePool::open_pipe() {
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  auto pipe = std::make_unique<Pipe>();
  pipe->read_end = Fd(ends[0]);
  pipe->write_end = Fd(ends[1]);
  int size = fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kPipeSize));
  // A pipe of the default 64 KiB is no better than copying.
  if (size < static_cast<int>(kPipeSize)) return nullptr;
  pipe->capacity = static_cast<size_t>(size);
  return pipe;
}

void PipePool::give_back(std::unique_ptr<Pipe> pipe, bool is_empty) {
  --in_use_;
  if (is_empty && unused_.size() < kKeepUnused) return unused_.push_back(std::move(pipe));
  to_turn_down_ = 0;  // the one that closes now makes room
}

}  // namespace lb
