// SPDX-License-Identifier: MIT
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "net/event_loop.h"

namespace lb {

// By which a file that was changed or replaced is known.
struct FileStamp {
  ino_t inode;
  off_t size;
  int64_t modified_ns;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
// Absent: there is no such file.
std::optional<FileStamp> file_stamp(const std::string& file);

// Watches the files of the listeners' `allow` and `deny` lists, and of the keys of tokens, by
// looking at them every two seconds: that works on every file system and for every way of replacing
// a file. Control thread.
class ListFollower {
 public:
  static constexpr std::chrono::milliseconds kPeriod{2000};

  ListFollower(EventLoop& loop, std::function<void()> on_change,
               std::chrono::milliseconds period = kPeriod);

  // Watches the files of this configuration. The next look tells of those that are new, since they
  // may have changed after the configuration was read. However often this is called, looks come in
  // time.
  void follow(const Config& config);
  // The configuration was read anew, maybe before a change that a look has told of already: the
  // next one tells of all files.
  void tell_again();

 private:
  struct File {
    std::optional<FileStamp> stamp;  // when it was told of last
    int looks_missing = 0;           // in a row
  };
  static bool is_news(const std::string& path, File& file);
  void look();

  std::function<void()> on_change_;
  const std::chrono::milliseconds period_;
  std::map<std::string, File> files_;
  Timer timer_;
};

// `config` with its lists read anew. A list that cannot be read stays as it was; `problems` tells
// why.
Config with_lists_read_again(const Config& config, std::vector<std::string>& problems);

// Whether the lists of both hold the same networks.
bool same_lists(const Config& a, const Config& b);

}  // namespace lb
