// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lb {

// What the control thread and the script process say to each other, one message a packet. Both are
// this program, so the format is the machine's own; it is checked all the same.

inline constexpr size_t kMaxScriptMessage = 64 * 1024;

struct ScriptRequest {
  uint64_t id = 0;
  int64_t deadline_ms = 0;  // of monotonic_ms(), which all processes of a machine share
  std::vector<std::string> command = {};
  std::vector<std::string> environment =
      {};  // "NAME=value", besides what the process was started with
};

struct ScriptAnswer {
  uint64_t id = 0;
  bool passed = false;
  std::string detail = {};
};

// Strings must not hold a NUL. Nothing when it would be longer than kMaxScriptMessage.
std::optional<std::string> to_bytes(const ScriptRequest& request);
std::string to_bytes(const ScriptAnswer& answer);
std::optional<ScriptRequest> parse_script_request(std::string_view bytes);
std::optional<ScriptAnswer> parse_script_answer(std::string_view bytes);

}  // namespace lb
