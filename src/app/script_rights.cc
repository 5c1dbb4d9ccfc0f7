// SPDX-License-Identifier: MIT
#include "app/script_rights.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/list_follower.h"
#include "config/loader.h"

namespace lb {

namespace {

class Scripts {
 public:
  Scripts(const Config& config, std::filesystem::path file) : file_(std::move(file)) {
    learn(config);
  }

  bool has(const std::vector<std::string>& command) {
    return known_.contains(command) || (file_changed() && known_.contains(command));
  }

 private:
  // Whether it was read again. What it named before is still run: a reload may not have come.
  bool file_changed() {
    if (file_.empty()) return false;
    auto now = file_stamp(file_);
    if (!now || now == seen_) return false;
    seen_ = now;
    auto loaded = load_config(file_);
    if (loaded) learn(loaded->config);
    return loaded.has_value();
  }

  void learn(const Config& config) { known_.merge(commands_of(config)); }

  const std::filesystem::path file_;
  std::optional<FileStamp> seen_;
  std::set<std::vector<std::string>> known_;
};

}  // namespace

std::set<std::vector<std::string>> commands_of(const Config& config) {
  std::set<std::vector<std::string>> commands;
  for (const auto& [name, pool] : config.pools) {
    if (pool.health_check.type == CheckType::script) commands.insert(pool.health_check.command);
  }
  return commands;
}

ScriptHost::MayRun scripts_of(const Config& config, const std::filesystem::path& file) {
  auto scripts = std::make_shared<Scripts>(config, file);
  return [scripts](const std::vector<std::string>& command) { return scripts->has(command); };
}

}  // namespace lb
