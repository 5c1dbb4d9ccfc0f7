// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/address.h"
#include "config/config.h"

namespace lb {

// Finds the pool of a connection by the routes of its listener: the first that fits wins. Looks at
// the routes of the client's name and at those without one, whatever their number. Immutable.
class TcpRouter {
 public:
  explicit TcpRouter(std::shared_ptr<const ListenerConfig> listener);

  // Whether a route asks for the name.
  bool needs_name() const { return !by_name_.empty(); }
  // The name of the pool, or null if no route fits. `server_name` in lower case, "" = none.
  // `client_key`: one client stays on one side of a split.
  const std::string* find(std::string_view server_name, const Address& client,
                          uint64_t client_key) const;

 private:
  using Indices = std::vector<uint32_t>;

  const std::shared_ptr<const ListenerConfig> listener_;
  std::unordered_map<std::string, Indices> by_name_;  // "*.example.com" as ".example.com"
  Indices without_name_;
};

}  // namespace lb
