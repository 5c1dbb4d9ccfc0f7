// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/fd.h"
#include "common/result.h"

namespace lb {

// A file (or standard output) to which several threads write lines without ever waiting: each has
// a ring of its own, and one thread, this object's, empties them into the file, at the latest a
// tenth of a second after a line was written. A line that finds no room, because the output is slow
// or full, is dropped whole and counted. After an error it goes on where it stopped.
class LineFile {
 public:
  // Of lines that wait, for each writer.
  static constexpr size_t kRoom = 256 * 1024;

  // `output`: stdout or a path, whose file is appended to. Writers are 0 to `writers` - 1. Control
  // thread.
  static Result<std::unique_ptr<LineFile>> open(const std::string& output, size_t writers);
  // No writer may be at work any more.
  ~LineFile() { close(); }
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // `line` ends in a newline. Only one thread at a time may be the same writer.
  void write(size_t writer, std::string_view line);

  // For log rotation: the path is opened anew, and what comes from now on goes there. On failure
  // the old file stays. Control thread.
  Status<> reopen();
  // Writes what is left, for a second at most; what cannot be written counts as lost. No writer may
  // be at work any more. Any thread but one at a time.
  void close();
  const std::string& output() const { return output_; }
  // Lines dropped since it was opened. Any thread.
  uint64_t lost() const;

 private:
  struct Lane {
    std::unique_ptr<char[]> bytes;  // made by the writer, for its first line
    uint64_t tail_seen = 0;         // the writer's copy
    std::atomic<uint64_t> lost{0};
    std::atomic<uint64_t> head{0};              // bytes written so far
    alignas(64) std::atomic<uint64_t> tail{0};  // bytes taken out so far
  };

  LineFile(std::string output, Fd file, size_t writers);
  void wake();
  void run();
  bool has_lines() const;
  bool drain();
  void drain(Lane& lane);
  size_t write_some(std::string_view piece);
  bool take_new_file();
  void use(Fd file);
  void complain(int error);
  void wait(int timeout_ms);
  void count_rest_as_lost();

  const std::string output_;
  std::vector<Lane> lanes_;
  Fd wakeup_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> stop_until_ms_{0};
  std::mutex mutex_;  // never the writers'
  Fd next_file_;
  // The thread's own.
  Fd file_;
  bool may_stall_ = false;  // a pipe, a terminal: asked before it is written to
  bool mid_line_ = false;
  int64_t complained_ms_ = 0;
  std::thread thread_;
};

}  // namespace lb
