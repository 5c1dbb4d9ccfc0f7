// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "pool/server_state.h"

namespace lb {

// What an agent wants of its server; absent where it has said nothing of it.
struct AgentWish {
  std::optional<AdminState> state = {};
  std::optional<uint32_t> weight_percent = {};   // of the configured weight
  std::optional<uint32_t> max_connections = {};  // 0 = as configured

  // What an agent says no more of stays as it was.
  void add(const AgentWish& said) {
    if (said.state) state = said.state;
    if (said.weight_percent) weight_percent = said.weight_percent;
    if (said.max_connections) max_connections = said.max_connections;
  }

  friend bool operator==(const AgentWish&, const AgentWish&) = default;
};

}  // namespace lb
