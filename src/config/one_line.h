// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/result.h"
#include "config/loader.h"

namespace lb {

// What `lb tcp`, `lb udp` and `lb http` take in place of a file: where to listen and where to pass
// things on.
struct OneLine {
  std::string protocol;             // tcp | udp | http
  std::vector<std::string> listen;  // addresses as in a file
  std::vector<std::string> to;
  std::string balance = "round_robin";
  bool tls = false;        // to the servers
  std::string admin = {};  // address; empty: none
  std::string token = {};  // of that; empty: none
};

// The configuration with this one listener and pool, both called as the protocol; everything else
// is as by default. Its problems have the places of config_text().
Result<LoadedConfig, std::vector<ConfigProblem>> load_one_line(const OneLine& line);
// The file that says the same.
std::string config_text(const OneLine& line);

// The same made of environment variables alone, for containers: BACKEND_SERVERS (required),
// ALGORITHM, HOST, PORT, ADMIN and LB_ADMIN_TOKEN; one that is empty counts as unset. The path of a
// problem is the name of the variable that is to blame. `variable` returns the value of one, or
// null.
Result<LoadedConfig, std::vector<ConfigProblem>> load_environment(
    const std::function<const char*(const char* name)>& variable);

}  // namespace lb
