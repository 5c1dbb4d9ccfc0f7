// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "health/probe.h"

namespace lb {

inline constexpr size_t kMaxAgentLine = 512;

// What an agent says in its line.
struct AgentLine {
  bool up = true;      // not "down", "fail" or "stopped"
  std::string reason;  // what stands behind '#'
  AgentWish wish;
};

// Reads the line of HAProxy's agent-check without its end: words between spaces, tabs and commas,
// in any case and order: `up`, `down`, `fail`, `stopped`, `ready`, `drain`, `maint`, `75%`,
// `maxconn:30`; `#` begins a description. An error where a word is none of these or there is none.
Result<AgentLine> parse_agent_line(std::string_view line);

}  // namespace lb
