// SPDX-License-Identifier: MIT
#include "app/control_groups.h"

#include <fstream>
#include <optional>
#include <string>

namespace lb {

namespace {

namespace fs = std::filesystem;

// "a/b" of the line "4:memory:/a/b"; the controllers of v2 are the empty text.
std::optional<std::string> own_group(std::string_view controller, const fs::path& root) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    std::string_view rest(line);
    rest.remove_prefix(std::min(rest.size(), rest.find(':')));
    std::string start = ":" + std::string(controller) + ":/";
    if (rest.starts_with(start)) return std::string(rest.substr(start.size()));
  }
  return {};
}

}  // namespace

std::vector<fs::path> control_groups(std::string_view v1_controller, const fs::path& root) {
  std::vector<fs::path> groups;
  auto own = own_group(v1_controller, root);
  if (!own) return groups;
  const fs::path top = root / "sys/fs/cgroup" / v1_controller;
  for (fs::path group = *own; !group.empty(); group = group.parent_path()) {
    groups.push_back(top / group);
  }
  groups.push_back(top);
  return groups;
}

}  // namespace lb
