// SPDX-License-Identifier: MIT
#include "config/one_line.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace lb {
namespace {

TEST(OneLine, BecomesAListenerAndAPool) {
  auto loaded = load_one_line({.protocol = "tcp",
                               .listen = {":5432", "127.0.0.1:6"},
                               .to = {"a:1", "10.0.0.2:2"},
                               .balance = "random"});
  ASSERT_TRUE(loaded);
  const ListenerConfig& listener = loaded->config.listeners.at("tcp");
  EXPECT_EQ(listener.protocol, Protocol::tcp);
  EXPECT_EQ(listener.addresses.size(), 2u);
  const PoolConfig& pool = loaded->config.pools.at("tcp");
  ASSERT_EQ(pool.servers.size(), 2u);
  EXPECT_EQ(pool.servers[0].name, "a:1");
  EXPECT_EQ(pool.balance, Balance::random);
  EXPECT_TRUE(pool.health_check.enabled);
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST(OneLine, UdpServersAreNotCheckedAndNothingIsSaidOfIt) {
  auto loaded = load_one_line({.protocol = "udp", .listen = {":53"}, .to = {"10.0.0.2:53"}});
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->config.pools.at("udp").health_check.enabled);
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST(OneLine, HttpServersAreCheckedByConnecting) {
  auto loaded = load_one_line({.protocol = "http", .listen = {":80"}, .to = {"10.0.0.2:80"}});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.listeners.at("http").protocol, Protocol::http);
  EXPECT_EQ(loaded->config.pools.at("http").health_check.type, CheckType::tcp);
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST(OneLine, HasAnAdminAddressWhereOneIsWanted) {
  OneLine line{.protocol = "tcp", .listen = {":80"}, .to = {"10.0.0.2:80"}};
  line.token = "correct-horse-battery";
  EXPECT_FALSE(load_one_line(line)->config.admin);
  line.admin = "127.0.0.1:9900";
  auto loaded = load_one_line(line);
  ASSERT_TRUE(loaded && loaded->config.admin);
  EXPECT_EQ(loaded->config.admin->token, "correct-horse-battery");
}

TEST(OneLine, WhatIsWrittenIsNeverTakenForMore) {
  auto loaded = load_one_line({.protocol = "tcp", .listen = {"it's'}, x: {y"}, .to = {"a:1"}});
  ASSERT_FALSE(loaded);
  ASSERT_EQ(loaded.error().size(), 1u);
  EXPECT_EQ(loaded.error()[0].path, "listeners.tcp.address[0]");
}

TEST(OneLine, AVariableOfTheEnvironmentIsTextToo) {
  OneLine line{.protocol = "tcp", .listen = {":1"}, .to = {"${HOME}:1"}};
  auto loaded = load_one_line(line);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error()[0].message.find("${HOME}"), std::string::npos);
}

Result<LoadedConfig, std::vector<ConfigProblem>> load_variables(
    const std::map<std::string, std::string>& variables) {
  return load_environment([&](const char* name) {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Environment, OneVariableIsEnough) {
  auto loaded = load_variables({{"BACKEND_SERVERS", "http://a:1, b:2,http://c/"}, {"PORT", ""}});
  ASSERT_TRUE(loaded);
  const ListenerConfig& listener = loaded->config.listeners.at("http");
  ASSERT_EQ(listener.addresses.size(), 1u);
  EXPECT_EQ(listener.addresses[0].text, "0.0.0.0:8080");
  const PoolConfig& pool = loaded->config.pools.at("http");
  ASSERT_EQ(pool.servers.size(), 3u);
  EXPECT_EQ(pool.servers[0].name, "a:1");
  EXPECT_EQ(pool.servers[1].name, "b:2");
  EXPECT_EQ(pool.servers[2].name, "c:80");
  EXPECT_FALSE(pool.tls);
  ASSERT_TRUE(loaded->config.admin);
  EXPECT_EQ(loaded->config.admin->address.to_string(), "127.0.0.1:9900");
  EXPECT_TRUE(loaded->config.admin->token.empty());
}

TEST(Environment, EveryVariableCounts) {
  auto loaded = load_variables({{"BACKEND_SERVERS", "https://a,https://[::1]:8443"},
                                {"ALGORITHM", "ip_hash"},
                                {"HOST", "::1"},
                                {"PORT", "81"},
                                {"ADMIN", "off"}});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.listeners.at("http").addresses[0].text, "[::1]:81");
  const PoolConfig& pool = loaded->config.pools.at("http");
  EXPECT_EQ(pool.balance, Balance::source_ip_hash);
  EXPECT_EQ(pool.servers[0].name, "a:443");
  EXPECT_EQ(pool.servers[1].name, "[::1]:8443");
  ASSERT_TRUE(pool.tls);
  EXPECT_TRUE(pool.tls->verify);
  EXPECT_FALSE(loaded->config.admin);
}

TEST(Environment, ABadVariableIsNamed) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"BACKEND_SERVERS", ""},
           {"BACKEND_SERVERS", "a"},
           {"BACKEND_SERVERS", "a:1,a:1"},
           {"BACKEND_SERVERS", "http://a:1,https://b:1"},
           {"BACKEND_SERVERS", "http://a:1/path"},
           {"ALGORITHM", "best"},
           {"HOST", "no host"},
           {"PORT", "0"},
           {"PORT", "x"},
           {"ADMIN", "on"},
           {"LB_ADMIN_TOKEN", "short"}}) {
    std::map<std::string, std::string> variables{{"BACKEND_SERVERS", "a:1"}};
    variables[name] = value;
    auto loaded = load_variables(variables);
    ASSERT_FALSE(loaded) << name << value;
    EXPECT_EQ(loaded.error()[0].path, name) << value;
    EXPECT_FALSE(loaded.error()[0].message.empty());
  }
}

}  // namespace
}  // namespace lb
