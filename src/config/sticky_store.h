// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "config/tls.h"

namespace lb {

// Where the sticky entries of a pool are shared with other balancers.
struct StickyStoreConfig {
  std::string host = {};  // of Redis: a name or an address
  uint16_t port = 6'379;
  std::string user = {};
  std::string password = {};
  uint32_t database = 0;
  std::optional<PoolTlsConfig> tls = {};  // absent: in clear
  std::string prefix = "lb:";             // of all keys
  std::chrono::milliseconds timeout{20};  // of an answer that work waits for

  friend bool operator==(const StickyStoreConfig&, const StickyStoreConfig&) = default;
};

}  // namespace lb
