// SPDX-License-Identifier: MIT
#include "config/one_line.h"

#include <gtest/gtest.h>

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

TEST(OneLine, WhatIsWrittenIsNeverTakenForMore) {
  auto loaded = load_one_line({.protocol = "tcp", .listen = {"it's'}, x: {y"}, .to = {"a:1"}});
  ASSERT_FALSE(loaded);
  ASSERT_EQ(loaded.error().size(), 1u);
  EXPECT_EQ(loaded.error()[0].path, "listeners.tcp.address[0]");
}

}  // namespace
}  // namespace lb
