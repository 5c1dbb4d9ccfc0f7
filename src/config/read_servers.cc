// SPDX-License-Identifier: MIT
// The list pools.NAME.servers.
#include <algorithm>
#include <unordered_map>

#include "common/log.h"
#include "config/addresses.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostWeight = 1'000;

struct NamedServer {
  ServerConfig config;
  Value name;  // where its name comes from
};

void set_address(const Value& value, ServerConfig& server) {
  auto address = value.as(server_address());
  if (!address) return;
  server.host = std::move(address->host);
  server.address = address->address;
}

// The text of a value that server_address() has read.
std::optional<std::string> written(const Value& value) {
  return value.as(Scalar<std::string>{
      "an address",
      [](std::string_view text) -> Result<std::string> { return std::string(text); }});
}

std::optional<NamedServer> read_server(const Value& item) {
  ServerConfig server;
  if (!item.is_map()) {
    set_address(item, server);
    if (server.address.empty()) return {};
    server.name = written(item).value_or("");
    return NamedServer{std::move(server), item};
  }
  Section section(item);
  auto name = section.find("name");
  auto address = section.require("address", "where the server listens, such as 10.0.0.1:80");
  if (address) set_address(*address, server);
  section.read("weight", server.weight, whole_number(0, kMostWeight));
  section.read("max_connections", server.max_connections,
               optional_or_off(whole_number(1, kMostConnections)));
  section.read("backup", server.backup, boolean());
  if (server.address.empty()) return {};
  if (!name) {
    server.name = written(*address).value_or("");
    return NamedServer{std::move(server), *address};
  }
  auto given = name->as(server_name());
  if (!given) return {};
  server.name = std::move(*given);
  return NamedServer{std::move(server), *name};
}

}  // namespace

void read_servers(const Value& value, PoolConfig& pool) {
  std::unordered_map<std::string, Place> names;
  for (const Value& item : value.items("servers")) {
    auto server = read_server(item);
    if (!server) continue;
    auto [first, is_new] = names.emplace(server->config.name, server->name.place());
    if (!is_new) {
      server->name.error(
          fmt::format("a second server {} in this pool, the first is in line {}; "
                      "give one of them another name",
                      quote(server->config.name), first->second.line));
      continue;
    }
    pool.servers.push_back(std::move(server->config));
  }
  bool has_weight = std::any_of(pool.servers.begin(), pool.servers.end(),
                                [](const ServerConfig& server) { return server.weight > 0; });
  if (!has_weight && !pool.servers.empty()) {
    value.warn_at_key("every server has weight 0: none of them gets a connection");
  }
}

}  // namespace lb::config
