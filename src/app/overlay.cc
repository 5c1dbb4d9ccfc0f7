// SPDX-License-Identifier: MIT
#include "app/overlay.h"

#include <algorithm>

#include "common/log.h"
#include "config/balance.h"

namespace lb {

namespace {

using Key = Overlay::Key;

template <typename Pool>
auto find_server(Pool& pool, const std::string& name) {
  return std::find_if(pool.servers.begin(), pool.servers.end(),
                      [&](const ServerConfig& server) { return server.name == name; });
}

// Goes over an overlay part by part, changes a configuration, and drops what no longer holds.
class Laying {
 public:
  Laying(Config& config, std::vector<std::string>& dropped) : config_(config), dropped_(dropped) {}

  void algorithms(std::map<std::string, Overlay::Override<Balance>>& overrides) {
    std::erase_if(overrides, [&](const auto& one) {
      const auto& [name, balance] = one;
      auto pool = config_.pools.find(name);
      if (pool == config_.pools.end()) return drop("the algorithm of pool " + name, kGone);
      if (pool->second.balance != balance.in_file) {
        return drop("the algorithm of pool " + name, kFileChanged);
      }
      pool->second.balance = balance.value;
      return false;
    });
  }

  void removed(std::map<Key, ServerConfig>& servers) {
    std::erase_if(servers, [&](const auto& one) {
      const auto& [key, as_it_was] = one;
      PoolConfig* pool = pool_of(key);
      auto found = pool ? find_server(*pool, key.second) : decltype(pool->servers.begin())();
      if (!pool || found == pool->servers.end()) return drop("the removal of " + text(key), kGone);
      if (*found != as_it_was) return drop("the removal of " + text(key), kFileChanged);
      pool->servers.erase(found);
      return false;
    });
  }

  void weights(std::map<Key, Overlay::Override<uint32_t>>& overrides) {
    std::erase_if(overrides, [&](const auto& one) {
      const auto& [key, weight] = one;
      PoolConfig* pool = pool_of(key);
      auto found = pool ? find_server(*pool, key.second) : decltype(pool->servers.begin())();
      if (!pool || found == pool->servers.end()) return drop("the weight of " + text(key), kGone);
      if (found->weight != weight.in_file) return drop("the weight of " + text(key), kFileChanged);
      found->weight = weight.value;
      return false;
    });
  }

  void added(std::map<Key, Overlay::Added>& servers) {
    std::erase_if(servers, [&](const auto& one) {
      const auto& [key, added] = one;
      PoolConfig* pool = pool_of(key);
      if (!pool) return drop("the added " + text(key), kGone);
      if (find_server(*pool, key.second) != pool->servers.end()) {
        return drop("the added " + text(key), "the file has a server of that name now");
      }
      pool->servers.push_back(added.server);
      return false;
    });
  }

  void states(std::map<Key, AdminState>& states) {
    std::erase_if(states, [&](const auto& one) {
      const Key& key = one.first;
      PoolConfig* pool = pool_of(key);
      bool is_there = pool && entry_of(*pool, key.second) != nullptr;
      return !is_there && drop("the state of " + text(key), kGone);
    });
  }

 private:
  static constexpr const char* kGone = "what it was for is gone";
  static constexpr const char* kFileChanged = "the file has another value now";

  static std::string text(const Key& key) { return "server " + key.first + "/" + key.second; }
  PoolConfig* pool_of(const Key& key) {
    auto pool = config_.pools.find(key.first);
    return pool == config_.pools.end() ? nullptr : &pool->second;
  }
  bool drop(const std::string& what, const char* why) {
    dropped_.push_back(fmt::format("{}, set at run time, no longer holds: {}", what, why));
    return true;
  }

  Config& config_;
  std::vector<std::string>& dropped_;
};

}  // namespace

Config with_overlay(const Config& file, Overlay& overlay, std::vector<std::string>& dropped) {
  Config config = file;
  Laying laying(config, dropped);
  laying.algorithms(overlay.algorithms);
  laying.removed(overlay.removed);
  laying.weights(overlay.weights);
  laying.added(overlay.added);
  laying.states(overlay.states);
  return config;
}

std::optional<HealthCheckConfig> own_check(const Overlay::Added& added,
                                           const HealthCheckConfig& of_pool) {
  if (!added.check_path && !added.check_interval) return {};
  HealthCheckConfig check = of_pool;
  if (added.check_path) {
    if (check.type != CheckType::https) check.type = CheckType::http;
    check.path = *added.check_path;
  }
  if (added.check_interval) {
    check.interval = *added.check_interval;
    check.fast_interval = std::min(check.fast_interval, check.interval);
  }
  return check;
}

namespace {

// The name of a server as it is shown: a text is an address, which is its name too. A name may look
// like a number.
std::string name_of(const Json& entry) {
  if (entry.is_string()) return entry.get<std::string>();
  const Json& name = entry.contains("name") ? entry["name"] : entry["address"];
  return name.is_string() ? name.get<std::string>() : to_text(name);
}

Json to_json(const ServerConfig& server) {
  std::string address = server.host.empty()
                            ? server.address.to_string()
                            : fmt::format("{}:{}", server.host, server.address.port());
  Json json = {{"name", server.name}, {"address", address}, {"weight", server.weight}};
  if (server.backup) json["backup"] = true;
  return json;
}

}  // namespace

void lay_over(Json& shown, const Overlay& overlay) {
  Json& pools = shown["pools"];
  for (const auto& [name, balance] : overlay.algorithms) {
    pools[name]["balance"] = config::balance_name(balance.value);
  }
  for (const auto& [key, as_it_was] : overlay.removed) {
    Json kept = Json::array();
    for (Json& entry : pools[key.first]["servers"]) {
      if (name_of(entry) != key.second) kept.push_back(std::move(entry));
    }
    pools[key.first]["servers"] = std::move(kept);
  }
  for (const auto& [key, weight] : overlay.weights) {
    for (Json& entry : pools[key.first]["servers"]) {
      if (name_of(entry) != key.second) continue;
      if (entry.is_string()) entry = Json{{"address", entry}};
      entry["weight"] = weight.value;
    }
  }
  for (const auto& [key, added] : overlay.added) {
    pools[key.first]["servers"].push_back(to_json(added.server));
  }
}

const ServerConfig* entry_of(const PoolConfig& pool, const std::string& server) {
  for (const ServerConfig& entry : pool.servers) {
    if (entry.name == server) return &entry;
    bool is_address = !entry.host.empty() && server.size() > entry.name.size() &&
                      server.starts_with(entry.name) && server[entry.name.size()] == '/';
    if (is_address) return &entry;
  }
  return nullptr;
}

}  // namespace lb
