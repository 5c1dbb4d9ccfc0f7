// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "config/loader.h"

namespace lb::config {
namespace {

using std::chrono::milliseconds;

TEST(GoodUdpFiles, AUdpListenerAndItsPool) {
  auto udp = load_config_text(R"(
listeners:
  dns:
    address: ":53"
    protocol: udp
    pool: dns
    udp: {responses: 1, max_sessions: 100}
    limits:
      max_connections: off
      datagram_rate: 600/m
      datagram_rate_per_source: {rate: 100/s, burst: 500}
    keepalive: off
  dns-tcp: {address: ":53", pool: dns}
  log: {address: ":514", protocol: udp, pool: log, timeouts: {idle: off}}
pools:
  dns: {servers: ["10.0.0.1:53"]}
  log: {servers: ["10.0.0.2:514"], send_proxy_protocol: v2-each}
)",
                              "/");
  ASSERT_TRUE(udp);
  const ListenerConfig& dns = udp->config.listeners.at("dns");
  EXPECT_EQ(dns.protocol, Protocol::udp);
  EXPECT_EQ(dns.udp_responses, 1U);
  EXPECT_EQ(dns.udp_max_sessions, 100U);
  EXPECT_EQ(dns.datagram_rate, (Rate{600, milliseconds(60'000), 10}));
  EXPECT_EQ(dns.datagram_rate_per_source, (Rate{100, milliseconds(1'000), 500}));
  EXPECT_EQ(dns.timeouts.idle, milliseconds(30'000));
  const ListenerConfig& log = udp->config.listeners.at("log");
  EXPECT_FALSE(log.udp_responses);
  EXPECT_EQ(log.udp_max_sessions, 65'536U);
  EXPECT_FALSE(log.datagram_rate);
  EXPECT_EQ(log.timeouts.idle, milliseconds(0));
  EXPECT_EQ(udp->config.listeners.at("dns-tcp").timeouts.idle, milliseconds(3'600'000));
  EXPECT_TRUE(udp->config.pools.at("dns").health_check.enabled) << "tcp can be checked";
  EXPECT_FALSE(udp->config.pools.at("log").health_check.enabled);
  EXPECT_EQ(udp->config.pools.at("log").send_proxy_protocol, SendProxyProtocol::v2_each);
  ASSERT_EQ(udp->warnings.size(), 1U);
  EXPECT_EQ(udp->warnings[0].path, "pools.log");
}

}  // namespace
}  // namespace lb::config
