// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/result.h"

namespace lb {

namespace config {
struct YamlNode;
}

struct ConfigProblem;
struct LoadedConfig;
class TlsInspector;

// A configuration as it is written, kept beside the Config that was made of it, so that it can be
// shown and sent back. Immutable; cheap to copy; control thread.
class ConfigDocument {
 public:
  ConfigDocument() = default;
  ConfigDocument(config::YamlNode written, config::YamlNode expanded);

  // As the admin interface shows it: environment variables expanded, but for the keys that only the
  // file may set, which stand as in the file; secrets are "***".
  Json shown() const;
  // What makes it again by load_sent(), without anything that only the file may set.
  std::string to_store() const;
  // Differs where the meaning differs.
  uint64_t fingerprint() const { return fingerprint_; }

  const config::YamlNode& written() const { return *written_; }
  const config::YamlNode& expanded() const { return *expanded_; }

 private:
  std::shared_ptr<const config::YamlNode> written_;
  std::shared_ptr<const config::YamlNode> expanded_;  // environment variables put in
  uint64_t fingerprint_ = 0;
};

// Why a configuration that was sent is refused: it sets what only the file may set (then `path`
// says where), or it has problems.
struct SentConfigError {
  bool forbidden = false;
  std::string path;
  std::string message;
  std::vector<ConfigProblem> problems;
};

// Reads, completes and checks a configuration that somebody sent, YAML or JSON. Environment
// variables are not expanded. Every key that names a command, a file or a user, and the section
// admin, must be as in `file` ("***" counts as equal); elsewhere a secret that is "***" keeps the
// value that it has in `running`. Relative files are taken from `directory`.
Result<LoadedConfig, SentConfigError> load_sent(std::string_view text, const ConfigDocument& file,
                                                const ConfigDocument& running,
                                                const std::filesystem::path& directory,
                                                const TlsInspector* tls);

}  // namespace lb
