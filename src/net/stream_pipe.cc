// SPDX-License-Identifier: MIT
#include "net/stream_pipe.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace lb {

namespace {

constexpr unsigned kHow = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

}  // namespace

Pipe* StreamPipe::get(PipePool& pool) {
  if (!pipe_) {
    pipe_ = pool.take();
    if (pipe_) pool.lend(pipe_);
  }
  return pipe_.get();
}

Transfer StreamPipe::write_to(Stream& stream) {
  size_t all = pipe_->held;
  pipe_->used = true;
  while (pipe_->held > 0) {
    ssize_t sent = splice(pipe_->read_end.get(), nullptr, stream.fd(), nullptr, pipe_->held, kHow);
    if (sent <= 0 && pipe_->held == all) return stream.told(sent, Transfer::Outcome::wants_write);
    if (sent <= 0) break;
    pipe_->held -= static_cast<size_t>(sent);
  }
  return {Transfer::Outcome::done, all - pipe_->held};
}

void StreamPipe::release(PipePool& pool) {
  if (pipe_) pool.give_back(std::move(pipe_));
}

Transfer splice_from(Stream& stream, Pipe& pipe, size_t most) {
  ssize_t got = splice(stream.fd(), nullptr, pipe.write_end.get(), nullptr,
                       std::min(most, pipe.capacity), kHow);
  if (got > 0) {
    pipe.held += static_cast<size_t>(got);
    pipe.used = true;
  }
  return stream.told(got, Transfer::Outcome::wants_read);
}

}  // namespace lb
