// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lb {

// One of the things that bound this process's memory. Plain data.
struct MemoryBound {
  std::string name;    // for whoever reads the log
  uint64_t limit = 0;  // bytes
  uint64_t left = 0;   // bytes of it that can still be had
};

// All of them: the machine's own (MemAvailable), those of its control group and the groups above it
// (memory.max, v1: memory.limit_in_bytes), and its resource limits RLIMIT_AS and RLIMIT_DATA. What
// is unlimited or cannot be read is left out. `root` is the file system's. Reads files; control
// thread.
std::vector<MemoryBound> memory_bounds(const std::filesystem::path& root = "/");

// Of /proc/meminfo.
std::optional<MemoryBound> bound_of_machine(std::string_view meminfo);

// The files of a control group. Both versions write "KEY VALUE" lines into memory.stat; there v1
// calls what holds for the groups below, too, "total_...". Cached pages of files do not count as
// used: the kernel gives them up first, as MemAvailable takes for granted.
struct GroupFiles {
  std::string limit;
  std::string usage;
  std::string stat;
};
std::optional<MemoryBound> bound_of_group(const std::string& name, const GroupFiles& files);

// How much of a resource limit is left with `used` bytes.
std::optional<MemoryBound> bound_of_process(const std::string& name, uint64_t limit, uint64_t used);

}  // namespace lb
