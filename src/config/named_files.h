// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <vector>

#include "config/config.h"
#include "config/yaml_node.h"

namespace lb::config {

// Every file that a configuration names to be read or written, in the order of the file; the
// commands of script checks and unix sockets are none. Relative ones are taken from `directory`.
std::vector<NamedFile> named_files(const YamlNode& root, const std::filesystem::path& directory);

}  // namespace lb::config
