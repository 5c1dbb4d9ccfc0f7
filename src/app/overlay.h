// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "config/config.h"
#include "pool/server_state.h"

namespace lb {

// What was changed at run time, over what the file says. Keyed by names, so that it holds over
// reloads: an override stays until it is taken back or until the file itself changes that value
// (then the file wins), and goes with its pool or server. Plain data; control thread.
struct Overlay {
  using Key = std::pair<std::string, std::string>;  // pool and server

  template <typename T>
  struct Override {
    T value;
    T in_file;  // what the file said when it was overridden

    friend bool operator==(const Override&, const Override&) = default;
  };
  struct Added {
    ServerConfig server;
    // Of a check of its own, made of the pool's.
    std::optional<std::string> check_path = {};
    std::optional<milliseconds> check_interval = {};

    friend bool operator==(const Added&, const Added&) = default;
  };

  std::map<Key, Added> added;
  std::map<Key, ServerConfig> removed;  // from the file, as it has them
  std::map<Key, Override<uint32_t>> weights;
  // By the names that servers have when host names stand for their addresses.
  std::map<Key, AdminState> states;
  std::map<std::string, Override<Balance>> algorithms;

  friend bool operator==(const Overlay&, const Overlay&) = default;
};

// The check of an added server that has one of its own.
std::optional<HealthCheckConfig> own_check(const Overlay::Added& added,
                                           const HealthCheckConfig& of_pool);

// The configuration that results, and drops what no longer holds from `overlay`; `dropped` tells
// what and why.
Config with_overlay(const Config& file, Overlay& overlay, std::vector<std::string>& dropped);

// The same for a configuration as it is shown.
void lay_over(Json& shown, const Overlay& overlay);

// The server of a configuration that `server` belongs to: itself, or the one whose host name it is
// an address of ("db/10.0.0.1:5432" of "db"). Null where there is none.
const ServerConfig* entry_of(const PoolConfig& pool, const std::string& server);

}  // namespace lb
