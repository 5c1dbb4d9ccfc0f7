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

// Whom a script checks.
struct CheckedServer {
  std::string name = {};
  std::string address = {};  // "10.0.0.1:80"
  std::string host = {};     // "10.0.0.1", or the path of a unix socket
  std::string port = {};     // "80", empty for a unix socket
};

struct ScriptRequest {
  uint64_t id = 0;
  int64_t deadline_ms = 0;  // of monotonic_ms(), which all processes of a machine share
  std::vector<std::string> command = {};
  // The script finds it in variables. No others can be asked for: some are as good as a command.
  CheckedServer server = {};
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
