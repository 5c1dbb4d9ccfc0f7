// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/fd.h"
#include "common/result.h"

namespace lb {

// What is done with a file that the configuration names.
enum class FileUse : uint8_t {
  read,
  append,   // made, for its user and group, where there is none
  replace,  // another one is written beside it and renamed, for which its directory is needed
};

// How open(2) is told; not of FileUse::replace. What is appended to may be a FIFO: nobody waits for
// its reader.
int open_flags(FileUse use);
inline constexpr unsigned kNewFileMode = 0640;

// Opens a file. The error is a reason without the path: "No such file or directory".
using FileOpener = std::function<Result<Fd>(const std::string& path, FileUse use)>;

// Opens a file that the configuration names: every reader of one, and every log, does it here.
// Where this process lacks the permission it asks for the file. Control thread; blocks.
Result<Fd> open_named_file(const std::string& path, FileUse use);

// Who opens files for this process that it may not open itself; empty: nobody. Set before other
// threads begin.
void ask_for_files(FileOpener opener);
// Asks, whether this process could open it or not. Control thread; blocks.
Result<Fd> ask_for_file(const std::string& path, FileUse use);

}  // namespace lb
