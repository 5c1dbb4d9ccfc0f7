// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/loader.h"
#include "config/yaml_node.h"

namespace lb::config {

// Paths as a problem names them: "pools.web" + "servers" + 1 is "pools.web.servers[1]". A key that
// is no plain word is quoted.
std::string join_path(std::string_view path, std::string_view key);
std::string join_path(std::string_view path, size_t index);

// `text` in quotes as a message shows it: at most 60 bytes of it.
std::string quote(std::string_view text);

// Everything found wrong with one file. Nothing of the file or the environment reaches a terminal
// unescaped: control characters in messages are written \xNN.
class Problems {
 public:
  void error(Place place, std::string path, std::string message);
  void warn(Place place, std::string path, std::string message);

  bool has_errors() const { return !errors_.empty(); }

  // In the order of the file, each once, with columns counted in the characters of `text`.
  std::vector<ConfigProblem> take_errors(std::string_view text);
  std::vector<ConfigProblem> take_warnings(std::string_view text);

 private:
  std::vector<ConfigProblem> errors_;
  std::vector<ConfigProblem> warnings_;
};

}  // namespace lb::config
