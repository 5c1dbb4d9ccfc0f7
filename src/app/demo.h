// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lb {

struct DemoOptions {
  std::optional<uint16_t> port;     // of the balancer; else 8000 or the next one that is free
  std::optional<uint32_t> seconds;  // ends by itself after so long
  std::string serve;                // where a single example server listens; "" = the whole demo
};

// `lb demo`: three example servers, a balancer in front of them and clients, all in this process,
// until a signal ends it. Every ten seconds one server goes away for five. The servers serve HTTP
// too, behind a listener of its own, as the environment says (demo_behavior()). With `serve` it is
// one of these servers alone, called SERVER_ID. Returns the exit code.
int run_demo(const DemoOptions& options);

}  // namespace lb
