// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/landlock.h"
#include "config/config.h"

namespace lb {

// Which files a balancer with this configuration has to open, as rules for directories: those of
// the files that it names, so that a file may be replaced by another of its name, of its unix
// sockets, and of `config_file` (empty: there is none). A symbolic link opens its target's
// directory too. Of a file directly in / or below /dev, /proc and /sys, that file alone. Beside
// them the directories of the package (/etc/lb, /var/log/lb, /var/lib/lb, /run/lb), and what
// libraries read: how names are resolved, authorities, libraries, time zones, figures of the
// kernel.
std::vector<FileRule> file_rules(const Config& config, const std::filesystem::path& config_file);

// Those of what the configuration itself names.
std::vector<FileRule> rules_of_config(const Config& config);

// Whether `rules` allow all that `wanted` does.
bool covers(const std::vector<FileRule>& rules, const FileRule& wanted);

// Whether `rules` allow the bytes of a file to be changed, or another file in its place.
bool may_replace(const std::vector<FileRule>& rules, const std::filesystem::path& file);

// The first file or socket of the configuration that the rules do not allow, "KEY: PATH"; empty
// when there is none. `without_files`: of sockets and FileUse::replace alone.
std::string first_outside(const Config& config, const std::vector<FileRule>& rules,
                          bool without_files);

}  // namespace lb
