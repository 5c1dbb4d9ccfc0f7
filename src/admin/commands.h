// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "admin/client.h"
#include "common/result.h"

namespace lb::admin {

// The commands that talk to a running balancer. Each prints what it found, for people or as JSON,
// and returns an exit code, or the error that is to be told.

void print_json(const Json& json);

// What `--admin`, `--token-file` and `--ca` say, else the environment, else the default address.
Result<AdminTarget> find_target(const std::string& address, const std::string& token_file,
                                const std::string& ca_file);

// 1 when no pool that a listener uses has a usable server.
Result<int> show_status(const AdminTarget& target, bool as_json);
Result<int> show_servers(const AdminTarget& target, const std::string& pool, bool as_json);
// `state` as the API calls it; `server` as POOL/SERVER.
Result<int> set_server_state(const AdminTarget& target, const std::string& server,
                             const std::string& state, bool as_json);

// A server for lb add. `where` is POOL or POOL/NAME, `address` HOST:PORT.
struct AddOptions {
  std::string where;
  std::string address;
  uint32_t weight = 1;
  bool backup = false;
  std::string check_path;      // empty: the pool's check
  std::string check_interval;  // empty: the pool's; 500ms
};
Result<int> add_server(const AdminTarget& target, const AddOptions& options, bool as_json);
Result<int> remove_server(const AdminTarget& target, const std::string& server, bool as_json);
Result<int> reload(const AdminTarget& target, bool as_json);

}  // namespace lb::admin
