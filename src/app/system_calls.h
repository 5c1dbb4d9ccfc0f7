// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"

namespace lb {

// The system calls that this program makes, as a filter of the kernel (seccomp) around all threads,
// for good. Any other one fails with EPERM and is noted: the kernel sends SIGSYS, whose handler
// puts the error in the call's place. One that no honest part of this program can make, of another
// architecture, ends the process. Returns how many are allowed, some only with certain arguments.
Result<size_t> restrict_system_calls();

// Whether this kernel knows such filters.
bool has_system_call_filters();

// Those that were refused since it was asked last, "ptrace, 3 times". Control thread.
std::vector<std::string> refused_system_calls();

}  // namespace lb
