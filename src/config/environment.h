// SPDX-License-Identifier: MIT
#pragma once

#include "config/problems.h"
#include "config/yaml_node.h"

namespace lb::config {

inline constexpr size_t kMaxExpandedBytes = 1'048'576;

// Puts environment variables into the values (not the keys) of a tree that is parsed already, so
// that no variable can add keys: `${NAME}`, or `${NAME:-default}` where the default holds when the
// variable is unset or empty. `$${` stands for `${` itself; every other `$` is left as it is. A
// value that cannot be expanded is reported and becomes invalid. All expanded values together have
// at most kMaxExpandedBytes.
void expand_environment(YamlNode& root, Problems& problems);

}  // namespace lb::config
