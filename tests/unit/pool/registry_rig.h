// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pool/registry.h"

namespace lb {

inline ServerConfig server(const std::string& name, const std::string& address) {
  ServerConfig config;
  config.name = name;
  config.address = *Address::parse(address);
  return config;
}

inline ServerConfig named_host(const std::string& name, const std::string& host, uint16_t port) {
  ServerConfig config;
  config.name = name;
  config.host = host;
  config.address = Address::any_v4(port);
  return config;
}

inline std::vector<Address> ips(const std::vector<std::string>& texts) {
  std::vector<Address> addresses;
  for (const auto& text : texts) addresses.push_back(*Address::parse_ip(text, 0));
  return addresses;
}

// A registry and the configuration that it is brought to.
class RegistryTest : public testing::Test {
 protected:
  void set_pool(const std::string& name, std::vector<ServerConfig> servers) {
    PoolConfig& pool = config_.pools[name];
    pool.name = name;
    pool.servers = std::move(servers);
  }
  PoolRegistry::Changes apply(int64_t drain_until_ms = 1'000) {
    return registry_.apply(config_, names_, drain_until_ms);
  }
  Server* find(const std::string& pool, const std::string& name) {
    Server* found = nullptr;
    registry_.for_each([&](Server& each, const PoolConfig& of) {
      if (of.name == pool && each.name() == name) found = &each;
    });
    return found;
  }
  std::vector<std::string> members(const std::string& pool) {
    std::vector<std::string> names;
    for (const Member& member : registry_.pools()[pool]->members()) {
      names.push_back(member.server->name());
    }
    return names;
  }
  Member member(const std::string& pool, const std::string& name) {
    for (const Member& member : registry_.pools()[pool]->members()) {
      if (member.server->name() == name) return member;
    }
    return {};
  }

  Config config_;
  PoolRegistry::Names names_;
  int64_t now_ms_ = 1'000'000;
  PoolRegistry registry_{2, [this] { return now_ms_; }};
};

// Servers without checks, some of which live traffic fails at.
class OutlierRegistryTest : public RegistryTest {
 protected:
  void set_up(size_t servers, uint32_t max_ejected_percent) {
    std::vector<ServerConfig> configs;
    for (size_t i = 0; i < servers; ++i) {
      configs.push_back(server("s" + std::to_string(i), "10.0.0." + std::to_string(i + 1) + ":80"));
    }
    set_pool("web", configs);
    PoolConfig& pool = config_.pools["web"];
    pool.health_check.enabled = false;
    pool.outlier_detection = OutlierConfig{.consecutive_failures = 4,
                                           .eject_for = milliseconds(1'000),
                                           .max_ejected_percent = max_ejected_percent};
    apply();
    registry_.pools();
  }
  Server& at(size_t i) { return *find("web", "s" + std::to_string(i)); }
  bool ejected(size_t i) { return registry_.status(at(i)) == ServerStatus::ejected; }
  // Ejects what may be, and counts.
  size_t eject_all(size_t servers) {
    for (size_t i = 0; i < servers; ++i) registry_.eject(at(i));
    size_t count = 0;
    for (size_t i = 0; i < servers; ++i) count += ejected(i) ? 1 : 0;
    return count;
  }
};

inline std::vector<std::string> names_of(const std::vector<Server*>& servers) {
  std::vector<std::string> names;
  for (const Server* server : servers) names.push_back(server->pool() + "/" + server->name());
  return names;
}

}  // namespace lb
