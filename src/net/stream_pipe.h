// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>

#include "net/pipe_pool.h"
#include "net/stream.h"

namespace lb {

// The pipe through which large bodies go to one stream by splice(2), while it needs one. In clear
// only. Release it before it goes. Worker thread.
class StreamPipe {
 public:
  // Full reads in a row until splicing pays, and small splices until it does not any more.
  static constexpr int kFullReads = 3;
  static constexpr size_t kSmallSplice = 16 * 1024;
  static constexpr int kSmallSplices = 8;

  // Null when there are none to spare.
  Pipe* get(PipePool& pool);
  bool has_kept() const { return pipe_ && pipe_->held > 0; }
  // Writes what it holds, in part as well.
  Transfer write_to(Stream& stream);
  void release(PipePool& pool);

 private:
  std::unique_ptr<Pipe> pipe_;
};

// Moves up to `most` bytes of the stream into the pipe; as Stream::read().
Transfer splice_from(Stream& stream, Pipe& pipe, size_t most);

// Tells when a stream is better read by splice(2), by how large its reads are.
class SpliceSense {
 public:
  bool wants_splice() const { return splices_; }
  void note_read(bool full) {
    streak_ = full ? streak_ + 1 : 0;
    if (streak_ >= StreamPipe::kFullReads) set(true);
  }
  void note_splice(size_t size) {
    streak_ = size < StreamPipe::kSmallSplice ? streak_ + 1 : 0;
    if (streak_ >= StreamPipe::kSmallSplices) set(false);
  }
  void set(bool splices) {
    splices_ = splices;
    streak_ = 0;
  }

 private:
  unsigned char streak_ = 0;
  bool splices_ = false;
};

}  // namespace lb
