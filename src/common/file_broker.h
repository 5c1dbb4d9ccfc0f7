// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "common/fd.h"
#include "common/file_message.h"
#include "common/named_file.h"
#include "common/result.h"

namespace lb {

// The two ends of a socket over which a process in the sandbox has files opened by one outside.
struct FileChannel {
  Fd inside;
  Fd outside;
};
Result<FileChannel> open_file_channel();

// The end outside: opens what it is asked for, as far as `open` does, and hands over the
// descriptors. One thread. Bytes that are no request are passed over.
class FileBroker {
 public:
  FileBroker(Fd socket, FileOpener open) : socket_(std::move(socket)), open_(std::move(open)) {}

  int socket() const { return socket_.get(); }
  // Answers what was asked, 16 requests at most, without waiting for who asked. False when the
  // other end is closed.
  bool serve();

 private:
  void answer(const FileRequest& request);
  bool send(const FileAnswer& answer, int file);

  Fd socket_;
  FileOpener open_;
};

// The end inside: asks and waits. One thread.
class FileAsker {
 public:
  // As a rule an answer takes much less than a millisecond.
  static constexpr std::chrono::milliseconds kPatience{10'000};

  explicit FileAsker(Fd socket, std::chrono::milliseconds patience = kPatience)
      : socket_(std::move(socket)), patience_(patience) {}

  // The error says why there is no file: what the broker answered, or that it has ended or does not
  // answer. One that did not in time is waited for no more until it has.
  Result<Fd> open(const std::string& path, FileUse use);

 private:
  Result<Fd> wait(std::chrono::milliseconds patience);
  Result<Fd> take(FileAnswer& answer, Fd file);
  Unexpected<Error> ended();

  Fd socket_;
  const std::chrono::milliseconds patience_;
  uint64_t last_id_ = 0;
  bool is_owed_ = false;  // the answer to the last request
};

}  // namespace lb
