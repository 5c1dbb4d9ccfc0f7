// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace lb {

// Tells the service manager how the process stands (sd_notify(3), Type=notify): "READY=1",
// "STOPPING=1", ... Does nothing where NOTIFY_SOCKET is not set. Control thread.
void notify_service(std::string_view state);

// RELOADING=1 with the time stamp that systemd 253 and later ask for.
void notify_reloading();

}  // namespace lb
