// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace lb {

// The directories of this process's control group and of those above it, the innermost first: of
// cgroup v2, or of a v1 hierarchy by the name of its controller. None where the machine has no such
// hierarchy; some of them may not be visible from here. `root` is the file system's. Reads
// /proc/self/cgroup. Control thread.
std::vector<std::filesystem::path> control_groups(std::string_view v1_controller = "",
                                                  const std::filesystem::path& root = "/");

}  // namespace lb
