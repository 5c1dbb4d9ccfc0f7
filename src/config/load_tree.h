// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "config/loader.h"
#include "config/problems.h"
#include "config/yaml_node.h"

namespace lb::config {

// The steps of load_config(), for whoever has something to do between them.

// The tree of a text, or the one problem that makes it none.
Result<YamlDocument, std::vector<ConfigProblem>> parse_tree(std::string_view text);
// Problems that parsing found and went on after.
void report(const std::vector<ConfigProblem>& found, Problems& problems);
// What a tree, with environment variables put in, configures; `text` is what it was made of, and
// `problems` what was found in it already. Leaves the document empty.
Result<LoadedConfig, std::vector<ConfigProblem>> load_tree(const YamlNode& root,
                                                           std::string_view text,
                                                           Problems& problems,
                                                           const std::filesystem::path& directory,
                                                           const TlsInspector* tls);

}  // namespace lb::config
