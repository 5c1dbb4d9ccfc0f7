// SPDX-License-Identifier: MIT
#include "net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "net/descriptor_reserve.h"

namespace lb {

PipePool::PipePool(EventLoop& loop, size_t limit)
    : limit_(limit), look_(loop, [this] { take_back_silent(); }) {}

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
  pipe->read_end = unless_reserved(Fd(ends[0]));
  pipe->write_end = unless_reserved(Fd(ends[1]));
  if (!pipe->read_end || !pipe->write_end) return nullptr;
  int size = fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kPipeSize));
  // A pipe of the default 64 KiB is no better than copying.
  if (size < static_cast<int>(kPipeSize)) return nullptr;
  pipe->capacity = static_cast<size_t>(size);
  return pipe;
}

void PipePool::lend(std::unique_ptr<Pipe>& holder) {
  holder->holder = &holder;
  holder->used = true;
  lent_.push_back(*holder);
  if (!look_.pending()) look_.start(kSilence);
}

void PipePool::take_back_silent() {
  lent_.for_each([this](Pipe& pipe) {
    bool silent = !pipe.used && pipe.held == 0;
    pipe.used = false;
    if (silent) give_back(std::move(*pipe.holder));
  });
  if (!lent_.empty()) look_.start(kSilence);
}

void PipePool::give_back(std::unique_ptr<Pipe> pipe) {
  if (std::exchange(pipe->holder, nullptr)) lent_.remove(*pipe);
  --in_use_;
  if (pipe->held == 0 && unused_.size() < kKeepUnused) return unused_.push_back(std::move(pipe));
  to_turn_down_ = 0;  // the one that closes now makes room
}

}  // namespace lb
