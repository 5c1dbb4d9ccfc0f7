// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "config/config.h"

namespace lb {

// `lb check --sandbox`: shows what the sandbox of this configuration leaves, and proves it. A child
// process enters it as a balancer would, then one of its threads tries what a worker must not be
// able to do, and what it must. Prints a line for each. True when all went as it should, also where
// the configuration wants no sandbox.
bool prove_sandbox(const Config& config, const std::filesystem::path& config_file);

}  // namespace lb
