// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "app/sandbox.h"
#include "common/result.h"
#include "config/config.h"
#include "health/script_process.h"

namespace lb {

// Starts the process that stays outside of the sandbox. It runs the scripts of health checks, and
// for a process inside keeps copies of the files that names are resolved by, which are used from
// here on, where this machine allows copies, and opens files (open_named_file()). It does so for
// what `config_file` names, which it reads itself. While there is one thread, before the sandbox is
// entered.
Result<ScriptProcess> start_outside(const Config& config, const std::filesystem::path& config_file,
                                    Sandbox& sandbox);

}  // namespace lb
