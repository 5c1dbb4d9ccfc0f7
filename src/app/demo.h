// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

namespace lb {

struct DemoOptions {
  std::optional<uint16_t> port;     // of the balancer; else 8000 or the next one that is free
  std::optional<uint32_t> seconds;  // ends by itself after so long
};

// `lb demo`: three example servers, a balancer in front of them and clients, all in this process,
// until a signal ends it. Every ten seconds one server goes away for five. Returns the exit code.
int run_demo(const DemoOptions& options);

}  // namespace lb
