// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/histogram.h"
#include "pool/server_state.h"

namespace lb {

// Everything that people may want to know of a server, as it was when PoolRegistry::report() was
// called.
struct ServerReport {
  std::string id;  // server_id()
  std::string pool;
  std::string name;
  Address address;
  uint32_t weight = 1;
  std::optional<uint32_t> max_connections;
  bool backup = false;
  ServerStatus status = ServerStatus::unknown;
  AdminState admin = AdminState::ready;
  uint32_t active = 0;       // work in progress
  uint32_t response_us = 0;  // average; 0 = not measured
  uint64_t connections = 0;  // connected, in all
  uint64_t requests = 0;     // over tcp the same
  uint64_t connect_failures = 0;
  uint64_t failures = 0;           // those included
  HistogramCounts responses = {};  // connect and first byte
  uint64_t bytes_in = 0;           // from clients
  uint64_t bytes_out = 0;          // to clients
  std::optional<double> load;      // by the metric that its pool balances by; 1 = all it has
  std::optional<CheckRecord> last_check;
  std::vector<StatusChange> history;  // the oldest first
  int64_t added_at_ms = 0;            // Unix time
};

// Names a server for good, over reloads and restarts: 16 hexadecimal digits made of pool and name.
std::string server_id(const std::string& pool, const std::string& name);

}  // namespace lb
