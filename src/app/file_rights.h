// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "common/named_file.h"

namespace lb {

// Opens files for a process in a sandbox, so that whoever has the way to ask gets no others than it
// should have: those that `config_file` names by the time of the question, or named before (a
// reload may not have come), for the use that it names them for. It is read here, not told. Without
// any capability, so that who is root in name alone is so here, too. What is read must be a regular
// file, and no opening waits for a FIFO's other end.
FileOpener files_named_by(const std::filesystem::path& config_file);

}  // namespace lb
