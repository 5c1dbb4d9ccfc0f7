// SPDX-License-Identifier: MIT
#include "app/outside.h"

#include <memory>
#include <optional>
#include <utility>

#include "app/file_rights.h"
#include "app/name_files.h"
#include "app/script_rights.h"
#include "common/file_broker.h"

namespace lb {

Result<ScriptProcess> start_outside(const Config& config, const std::filesystem::path& config_file,
                                    Sandbox& sandbox) {
  ScriptLimits limits{.user = sandbox.user()};
  if (!sandbox.is_on()) return ScriptProcess::start(std::move(limits));
  limits.may_run = scripts_of(config, sandbox.trusts_config_file() ? config_file : "");
  auto names = NameFiles::make();
  if (names) {
    limits.errand = [files = *names]() mutable { files.follow(); };
    limits.descriptors = names->descriptors();
  } else {
    sandbox.lacks(names.error().message + " (another file in its place shows after a restart)");
  }
  std::shared_ptr<FileAsker> asker;
  if (sandbox.trusts_config_file()) {
    auto channel = open_file_channel();
    if (!channel) return Unexpected{channel.error()};
    asker = std::make_shared<FileAsker>(std::move(channel->inside));
    auto broker =
        std::make_shared<FileBroker>(std::move(channel->outside), files_named_by(config_file));
    limits.desk = {broker->socket(), [broker] { return broker->serve(); }};
    limits.descriptors.push_back(broker->socket());
  }
  auto process = ScriptProcess::start(std::move(limits));
  if (!process) return process;
  if (names) names->use();
  if (asker) {
    ask_for_files([asker](const auto& path, FileUse use) { return asker->open(path, use); });
  }
  return process;
}

}  // namespace lb
