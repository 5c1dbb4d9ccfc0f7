// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "common/result.h"

namespace lb::config {

// The bytes of a file, at most `limit` and one: a longer file is the caller's to refuse. Reads
// pipes too. Control thread, blocking.
Result<std::string> read_file(const std::filesystem::path& file, size_t limit);

}  // namespace lb::config
