// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace lb {

// Where the spans of http requests go, and of how many. Plain data.
struct TracingConfig {
  std::string host;  // of the collector: a name or an IP address
  uint16_t port = 4318;
  std::string path;  // to which spans are posted: "/v1/traces"
  uint32_t sample_percent = 1;

  friend bool operator==(const TracingConfig&, const TracingConfig&) = default;
};

}  // namespace lb
