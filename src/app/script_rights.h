// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "health/script_host.h"

namespace lb {

// Of all script checks.
std::set<std::vector<std::string>> commands_of(const Config& config);

// Which scripts the script process runs for a process in a sandbox, so that its socket is no way
// out of it: those of `config`, and those that `file` names by the time they are asked for, which
// it reads itself. An empty `file` never changes.
ScriptHost::MayRun scripts_of(const Config& config, const std::filesystem::path& file);

}  // namespace lb
