// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/result.h"
#include "net/mailbox.h"

namespace lb {

// A small file that is always whole: each save writes another one beside it, has the disk take it
// (fsync), and renames it. A thread of its own does so, for a disk may take long; of saves that
// come faster than it writes the last one counts for all. Control thread.
class StateFile {
 public:
  using Callback = std::function<void(const Status<>& saved)>;

  // `control`: where callbacks are run.
  StateFile(std::string path, Mailbox& control);
  // Writes what is still to be written; then nobody is told.
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  const std::string& path() const { return path_; }

  // `callback` is told when this text, or a later one, is on the disk.
  void save(std::string text, Callback callback);

  // Nothing where there is no such file.
  static Result<std::optional<std::string>> read(const std::string& path);
  // One save, at once. Blocking.
  static Status<> write(const std::string& path, const std::string& text);

 private:
  void run();

  const std::string path_;
  Mailbox& control_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::string> next_;
  std::vector<Callback> waiting_;  // for next_
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lb
