// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <vector>

#include "common/result.h"
#include "config/config.h"
#include "config/yaml_node.h"

namespace lb::config {

// Every file that a configuration names to be read or written, in the order of the file; the
// commands of script checks and unix sockets are none. Relative ones are taken from `directory`.
std::vector<NamedFile> named_files(const YamlNode& root, const std::filesystem::path& directory);

// Those of the file `config_file` as it is now, environment variables put in. Opens none of them:
// they are told of a file, too, that is wrong in other ways than its YAML.
Result<std::vector<NamedFile>> read_named_files(const std::filesystem::path& config_file);

}  // namespace lb::config
