// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/json.h"
#include "common/result.h"

namespace lb::admin {

// Where a command finds the running balancer, and what it may do there.
struct AdminTarget {
  std::string address;  // 127.0.0.1:9900, localhost:9900, unix:/run/lb/admin.sock
  std::string token;    // empty: none
  bool tls = false;
  std::string ca_file = {};  // PEM; empty: the authorities of this system
};

// One call of the API from the command line: blocking, on a connection of its own. Yields the
// "data" of a success, or the whole of a bare answer; the error is for the person who typed the
// command. `wait_ms` bounds the whole call.
Result<Json> call_api(const AdminTarget& target, std::string_view method, std::string_view path,
                      const Json& body = nullptr, int wait_ms = 10'000);

}  // namespace lb::admin
