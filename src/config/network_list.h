// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/cidr.h"
#include "common/result.h"
#include "config/config.h"

namespace lb::config {

inline constexpr size_t kMaxNetworkFileBytes = 16'777'216;

// The networks of a file: one a line, '#' begins a comment, blank lines are nothing. On failure the
// first ten things that are wrong, each naming file and line. Control thread, blocking.
Result<std::vector<Cidr>, std::vector<std::string>> read_network_file(
    const std::filesystem::path& file);

// A list anew, from what the configuration says and from what its files hold now. Control thread,
// blocking.
Result<CidrSet> read_networks(const NetworkSource& source);

}  // namespace lb::config
