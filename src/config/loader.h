// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "config/config.h"
#include "config/document.h"
#include "config/tls_inspector.h"

namespace lb {

// One thing that is wrong with a configuration file, or (a warning) most likely not meant.
struct ConfigProblem {
  int line = 1;      // from 1
  int column = 1;    // from 1
  std::string path;  // "pools.web.servers[1].weight"; empty for the file as a whole
  std::string message;

  // "lb.yaml:12:7: pools.web.servers[1].wieght: unknown key; did you mean 'weight'?"
  std::string to_string(std::string_view file) const;
};

struct LoadedConfig {
  Config config;
  std::vector<ConfigProblem> warnings;
  ConfigDocument document;  // what it was made of
};

// Reads, expands and checks a configuration. On failure: every problem of the file in one run,
// ordered by line (a YAML syntax error alone). Opens no socket. Limits: 1 MiB, 200,000 nodes.
// Without `tls`, files of certificates and keys are read but not looked into.
Result<LoadedConfig, std::vector<ConfigProblem>> load_config(const std::filesystem::path& file,
                                                             const TlsInspector* tls = nullptr);

// The same for a text in memory; relative files named in it are taken from directory.
Result<LoadedConfig, std::vector<ConfigProblem>> load_config_text(
    std::string_view yaml, const std::filesystem::path& directory,
    const TlsInspector* tls = nullptr);

}  // namespace lb
