// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "common/result.h"

namespace lb {

// Which files a thread, and all threads and processes that it starts, may open: Landlock, of Linux
// 5.13 and later, by its system calls, since the C library has no functions for it.

// What may be done with a file, or with everything below a directory.
enum FileRights : uint8_t {
  kReadFiles = 1,
  kWriteFiles = 2,   // of regular files; cut short, too
  kMakeFiles = 4,    // below a directory: create, rename, remove, and look into it
  kMakeSockets = 8,  // below a directory: unix sockets, made and removed
};

struct FileRule {
  std::filesystem::path path;  // of a directory or a file
  uint8_t rights = 0;          // of FileRights

  friend bool operator==(const FileRule&, const FileRule&) = default;
};

// The version of Landlock that this kernel has; 0: none, or switched off.
int landlock_version();

// From here on the calling thread has these rights and no others; what is open stays open. A path
// that does not exist is passed over. Needs no_new_privs.
Status<> restrict_files(const std::vector<FileRule>& rules);

}  // namespace lb
