// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "config/yaml_node.h"

namespace lb::config {

// What stands for a secret where it is shown, and for what the running configuration has where it
// is sent.
inline constexpr std::string_view kHidden = "***";

// A value that only the file may set: it names a command, a file or a user, or is the section
// admin as a whole.
template <typename Node>
struct ProtectedValue {
  Node* node;
  std::string path;   // "pools.web.health_check.command"
  std::string place;  // the path without indices: which values are compared with which
};

// All of them, in the order of the file.
std::vector<ProtectedValue<YamlNode>> protected_values(YamlNode& root);
std::vector<ProtectedValue<const YamlNode>> protected_values(const YamlNode& root);

// Where a configuration that was sent differs from the file, and how.
struct ForbiddenChange {
  std::string path;
  std::string message;
  bool is_missing;  // else there is something that is not the file's
};

// Compares what only the file may set; where everything is as in the file (`written`, or `expanded`
// by environment variables) puts the file's values into `sent`, once as written and once expanded.
// Listeners, pools and verifiers that are not sent are not compared: they may go.
Status<ForbiddenChange> take_protected_values(YamlNode& sent_written, YamlNode& sent_expanded,
                                              const YamlNode& written, const YamlNode& expanded);

// Whether the value of this key is a secret, to be hidden wherever it is shown.
bool is_secret(std::string_view key, const YamlNode& value);

}  // namespace lb::config
