// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace lb {

// Starts a thread that blocks every signal that others send: they are the control thread's. The
// name (at most 15 bytes) is what ps and gdb show.
std::thread start_thread(const std::string& name, std::function<void()> body);

}  // namespace lb
