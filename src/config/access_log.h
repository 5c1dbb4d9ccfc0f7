// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace lb {

// Where a listener's access log goes, and how its lines look. Plain data.
struct AccessLogConfig {
  enum class Format : uint8_t { json, combined };

  std::string output = "stdout";  // or a path
  Format format = Format::json;

  friend bool operator==(const AccessLogConfig&, const AccessLogConfig&) = default;
};

}  // namespace lb
