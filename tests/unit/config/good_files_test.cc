// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "broken_files.h"
#include "config/loader.h"

namespace lb::config {
namespace {

using std::chrono::milliseconds;

// The configuration of a text that must be accepted.
LoadedConfig loaded(const std::string& yaml, const std::filesystem::path& directory = "/") {
  auto result = load_config_text(yaml, directory);
  if (result) return *result;
  for (const ConfigProblem& problem : result.error()) {
    ADD_FAILURE() << problem.to_string("lb.yaml") << "\nin\n" << yaml;
  }
  return {};
}

Address address(const std::string& text) {
  return *Address::parse(text);
}

CidrSet networks(std::initializer_list<const char*> texts) {
  std::vector<Cidr> cidrs;
  for (const char* text : texts) cidrs.push_back(*Cidr::parse(text));
  return CidrSet(std::move(cidrs));
}

const char kShortest[] = R"(
listeners:
  postgres: {address: ":5432", protocol: tcp, pool: db}
pools:
  db:
    balance: least_connections
    servers: [10.0.0.11:5432, 10.0.0.12:5432]
)";

TEST(GoodFiles, TheShortestFileHasEveryDefault) {
  auto [config, warnings, document] = loaded(kShortest);
  EXPECT_TRUE(warnings.empty());

  EXPECT_EQ(config.runtime.workers, 0U);
  EXPECT_EQ(config.runtime.max_connections, 100'000U);
  EXPECT_EQ(config.runtime.drain_timeout, milliseconds(30'000));
  EXPECT_EQ(config.log.level, log::Level::info);
  EXPECT_EQ(config.log.format, log::Format::text);
  EXPECT_EQ(config.log.output, "stderr");

  ASSERT_EQ(config.listeners.size(), 1U);
  const ListenerConfig& listener = config.listeners.at("postgres");
  EXPECT_EQ(listener.name, "postgres");
  EXPECT_EQ(listener.pool, "db");
  ASSERT_EQ(listener.addresses.size(), 1U);
  EXPECT_EQ(listener.addresses[0], (ListenAddress{address("[::]:5432"), true, ":5432"}));
  EXPECT_EQ(listener.backlog, 4096U);
  EXPECT_FALSE(listener.proxy_protocol_trusted);
  EXPECT_FALSE(listener.allow);
  EXPECT_TRUE(listener.deny.empty());
  EXPECT_EQ(listener.allow_source, NetworkSource{});
  EXPECT_FALSE(listener.max_connections);
  EXPECT_EQ(listener.timeouts.idle, milliseconds(3'600'000));
  EXPECT_EQ(listener.timeouts.half_close, milliseconds(3'600'000));
  EXPECT_EQ(listener.timeouts.send, milliseconds(60'000));
  EXPECT_EQ(listener.timeouts.tls_handshake, milliseconds(10'000));
  EXPECT_EQ(listener.keepalive,
            (KeepaliveConfig{true, milliseconds(60'000), milliseconds(10'000), 6}));

  ASSERT_EQ(config.pools.size(), 1U);
  const PoolConfig& pool = config.pools.at("db");
  EXPECT_EQ(pool.name, "db");
  EXPECT_EQ(pool.balance, Balance::least_connections);
  EXPECT_EQ(pool.hash_on, HashOn::source_ip);
  ASSERT_EQ(pool.servers.size(), 2U);
  EXPECT_EQ(pool.servers[1].name, "10.0.0.12:5432");
  EXPECT_EQ(pool.servers[1].host, "");
  EXPECT_EQ(pool.servers[1].address, address("10.0.0.12:5432"));
  EXPECT_EQ(pool.servers[1].weight, 1U);
  EXPECT_FALSE(pool.servers[1].max_connections);
  EXPECT_FALSE(pool.servers[1].backup);
  EXPECT_TRUE(pool.source.empty());
  const HealthCheckConfig& check = pool.health_check;
  EXPECT_TRUE(check.enabled);
  EXPECT_EQ(check.interval, milliseconds(5'000));
  EXPECT_EQ(check.timeout, milliseconds(2'000));
  EXPECT_EQ(check.rise, 2U);
  EXPECT_EQ(check.fall, 3U);
  EXPECT_EQ(check.fast_interval, milliseconds(1'000));
  EXPECT_FALSE(check.port);
  EXPECT_EQ(check.send, "");
  EXPECT_EQ(check.expect, "");
  EXPECT_EQ(pool.retries.attempts, 2U);
  EXPECT_EQ(pool.retries.backoff, milliseconds(25));
  EXPECT_EQ(pool.retries.max_backoff, milliseconds(1'000));
  EXPECT_EQ(pool.retries.budget_percent, 20U);
  EXPECT_EQ(pool.on_down, OnDown::keep);
  EXPECT_EQ(pool.connect_timeout, milliseconds(2'000));
  EXPECT_EQ(pool.send_proxy_protocol, SendProxyProtocol::off);
}

TEST(GoodFiles, BalanceIsRoundRobinAndTheProtocolTcpWhenNotSaid) {
  auto config = loaded(with_section("")).config;
  EXPECT_EQ(config.pools.at("db").balance, Balance::round_robin);
}

TEST(GoodFiles, EveryKeyOfTheProcessTakesItsValue) {
  auto config = loaded(with_section(R"(
runtime: {workers: 3, max_connections: 500, drain_timeout: 0s, sandbox: off, user: off}
log: {level: debug, format: json, output: /var/log/lb.log}
admin: off
tracing: off
jwt: off
)"))
                    .config;
  EXPECT_EQ(config.runtime.workers, 3U);
  EXPECT_EQ(config.runtime.max_connections, 500U);
  EXPECT_EQ(config.runtime.drain_timeout, milliseconds(0));
  EXPECT_EQ(config.log.level, log::Level::debug);
  EXPECT_EQ(config.log.format, log::Format::json);
  EXPECT_EQ(config.log.output, "/var/log/lb.log");
  EXPECT_EQ(loaded(with_section("runtime: {workers: auto}")).config.runtime.workers, 0U);
}

TEST(GoodFiles, EveryKeyOfAListenerTakesItsValue) {
  auto config = loaded(R"(
pools: {db: {servers: ["10.0.0.1:5432"]}}
listeners:
  web-1.example_x:
    address: ["0.0.0.0:80", "[::]:80", "127.0.0.1:81", "[::1]:81", "unix:/run/lb/x.sock"]
    protocol: tcp
    pool: db
    backlog: 128
    proxy_protocol: {trusted: [10.0.0.0/8, "2001:db8::/32"]}
    allow: [10.0.0.0/8, 192.0.2.1]
    deny: [10.6.6.0/24]
    limits:
      max_connections: 1000
      max_connections_per_source: off
      connection_rate: off
      connection_rate_per_source: off
      request_rate_per_source: off
      datagram_rate: off
      datagram_rate_per_source: off
      max_body_size: off
    timeouts: {idle: 2m, half_close: 30s, send: 250ms, tls_handshake: 1d}
    keepalive: {idle: 5m, interval: 1s, count: 127}
    udp: off
    tls: off
    access_log: {output: /var/log/lb/access.log, format: combined}
    trusted_proxies: off
    routes: off
)")
                    .config;
  const ListenerConfig& listener = config.listeners.at("web-1.example_x");
  ASSERT_EQ(listener.addresses.size(), 5U);
  EXPECT_EQ(listener.addresses[0].address, address("0.0.0.0:80"));
  EXPECT_FALSE(listener.addresses[1].dual_stack);
  EXPECT_EQ(listener.addresses[4].address, address("unix:/run/lb/x.sock"));
  EXPECT_EQ(listener.backlog, 128U);
  ASSERT_TRUE(listener.proxy_protocol_trusted);
  EXPECT_EQ(*listener.proxy_protocol_trusted, networks({"10.0.0.0/8", "2001:db8::/32"}));
  ASSERT_TRUE(listener.allow);
  EXPECT_EQ(*listener.allow, networks({"10.0.0.0/8", "192.0.2.1"}));
  EXPECT_EQ(listener.deny, networks({"10.6.6.0/24"}));
  EXPECT_EQ(listener.max_connections, 1000U);
  EXPECT_EQ(listener.access_log,
            (AccessLogConfig{"/var/log/lb/access.log", AccessLogConfig::Format::combined}));
  EXPECT_EQ(listener.timeouts, (ListenerTimeouts{milliseconds(120'000), milliseconds(30'000),
                                                 milliseconds(250), milliseconds(86'400'000)}));
  EXPECT_EQ(listener.keepalive,
            (KeepaliveConfig{true, milliseconds(300'000), milliseconds(1'000), 127}));
}

TEST(GoodFiles, OnUnixSocketsAloneTheProxyProtocolNeedsNoNetworks) {
  for (const char* written : {"{}", "{trusted: [10.0.0.0/8]}"}) {
    auto config = loaded(std::string("pools: {db: {servers: ['10.0.0.1:5432']}}\n"
                                     "listeners:\n"
                                     "  a: {address: 'unix:/run/a', pool: db, proxy_protocol: ") +
                         written + "}\n")
                      .config;
    EXPECT_TRUE(config.listeners.at("a").proxy_protocol_trusted) << written;
  }
}

TEST(GoodFiles, OffSwitchesOffWhatCanBeOff) {
  for (const char* off : {"off", "false", "no", "\"off\""}) {
    std::string word = off;
    auto listener =
        loaded(with_listener("limits: {max_connections: " + word +
                             "}\n    timeouts: {idle: " + word + ", half_close: " + word +
                             ", send: " + word + ", tls_handshake: " + word +
                             "}\n    keepalive: " + word + "\n    proxy_protocol: " + word))
            .config.listeners.at("a");
    EXPECT_FALSE(listener.max_connections);
    EXPECT_EQ(listener.timeouts, (ListenerTimeouts{milliseconds(0), milliseconds(0),
                                                   milliseconds(0), milliseconds(0)}));
    EXPECT_FALSE(listener.keepalive.enabled);
    EXPECT_FALSE(listener.proxy_protocol_trusted);

    auto pool = loaded(with_pool("health_check: " + word + "\n    retries: " + word +
                                 "\n    send_proxy_protocol: " + word))
                    .config.pools.at("db");
    EXPECT_FALSE(pool.health_check.enabled);
    EXPECT_EQ(pool.retries.attempts, 0U);
    EXPECT_EQ(pool.send_proxy_protocol, SendProxyProtocol::off);
  }
}

TEST(GoodFiles, EveryKeyOfAPoolTakesItsValue) {
  auto pool = loaded(with_pool(R"(balance: hash
    hash_on: source_ip_port
    source: [10.0.0.5, "2001:db8::5"]
    health_check:
      type: tcp
      interval: 10s
      timeout: 20s
      rise: 1
      fall: 5
      fast_interval: 100ms
      port: 9000
      send: "PING\r\n\0\x01"
      expect: "+PONG"
    retries: {attempts: 0, backoff: 0s, max_backoff: 2s, budget: 100%}
    on_down: close
    timeouts: {connect: 100ms}
    send_proxy_protocol: v2
    outlier_detection: off
    slow_start: off
    queue: off
    hold: off
    sticky: off
    tls: off)"))
                  .config.pools.at("db");
  EXPECT_EQ(pool.balance, Balance::hash);
  EXPECT_EQ(pool.hash_on, HashOn::source_ip_port);
  EXPECT_EQ(pool.source, (std::vector<Address>{address("10.0.0.5:0"), address("[2001:db8::5]:0")}));
  EXPECT_EQ(
      pool.health_check,
      (HealthCheckConfig{true, CheckType::tcp, milliseconds(10'000), milliseconds(20'000), 1, 5,
                         milliseconds(100), 9000, std::string("PING\r\n\0\x01", 8), "+PONG"}));
  EXPECT_EQ(pool.retries, (RetriesConfig{0, milliseconds(0), milliseconds(2'000), 100}));
  EXPECT_EQ(pool.on_down, OnDown::close);
  EXPECT_EQ(pool.connect_timeout, milliseconds(100));
  EXPECT_EQ(pool.send_proxy_protocol, SendProxyProtocol::v2);
}

HealthCheckConfig check_of(const std::string& keys) {
  return loaded(with_pool("health_check: {" + keys + "}")).config.pools.at("db").health_check;
}

TEST(GoodFiles, EveryTypeOfCheckHasItsDefaults) {
  auto http = check_of("type: http");
  EXPECT_EQ(http.type, CheckType::http);
  EXPECT_EQ(http.path, "/health");
  EXPECT_EQ(http.method, "GET");
  EXPECT_EQ(http.host, "");
  EXPECT_EQ(http.expect_status, (std::vector<StatusRange>{{200, 399}}));
  EXPECT_EQ(http.expect_body, "");
  EXPECT_EQ(check_of("type: grpc").service, "");
  EXPECT_EQ(check_of("type: dns").query, (DnsQuestion{".", 2}));
}

TEST(GoodFiles, EveryKeyOfATypeOfCheckTakesItsValue) {
  auto http = check_of(R"(type: http, path: "/ready?a=b", method: HEAD, host: "app.example:80",
      expect_status: "200-299, 404", expect_body: "\"ok\"")");
  EXPECT_EQ(http.path, "/ready?a=b");
  EXPECT_EQ(http.method, "HEAD");
  EXPECT_EQ(http.host, "app.example:80");
  EXPECT_EQ(http.expect_status, (std::vector<StatusRange>{{200, 299}, {404, 404}}));
  EXPECT_EQ(http.expect_body, "\"ok\"");
  EXPECT_EQ(check_of("type: http, expect_status: 204").expect_status,
            (std::vector<StatusRange>{{204, 204}}));
  auto agent = check_of("type: agent, thresholds: {cpu: 90%, memory: 95%, network: off}");
  EXPECT_EQ(agent.type, CheckType::agent);
  EXPECT_EQ(agent.thresholds, (LoadThresholds{90, 95, std::nullopt}));
  EXPECT_EQ(check_of("type: http, thresholds: off").thresholds, LoadThresholds());
  auto https = check_of("type: https, verify: false, path: /ready");
  EXPECT_EQ(https.type, CheckType::https);
  EXPECT_FALSE(https.verify);
  EXPECT_EQ(https.path, "/ready");
  auto tls = check_of("type: tls, host: app.example");
  EXPECT_EQ(tls.type, CheckType::tls);
  EXPECT_TRUE(tls.verify);
  EXPECT_EQ(tls.host, "app.example");
  auto grpc = check_of("type: grpc, service: shop.Cart, host: app.example");
  EXPECT_EQ(grpc.type, CheckType::grpc);
  EXPECT_EQ(grpc.service, "shop.Cart");
  EXPECT_EQ(grpc.host, "app.example");
  auto dns = check_of("type: dns, query: {name: db.example., type: AAAA}");
  EXPECT_EQ(dns.type, CheckType::dns);
  EXPECT_EQ(dns.query, (DnsQuestion{"db.example", 28}));
}

TEST(GoodFiles, AWordAndItsAliasesNameTheSameAlgorithm) {
  const std::pair<const char*, Balance> rows[] = {
      {"round_robin", Balance::round_robin},
      {"weighted_round_robin", Balance::round_robin},
      {"weighted", Balance::round_robin},
      {"least_connections", Balance::least_connections},
      {"least_response_time", Balance::least_response_time},
      {"least_load", Balance::least_load},
      {"{least_load: cpu}", Balance::least_load},
      {"source_ip_hash", Balance::source_ip_hash},
      {"ip_hash", Balance::source_ip_hash},
      {"hash", Balance::hash},
      {"random", Balance::random},
  };
  for (const auto& [word, balance] : rows) {
    auto config = loaded(with_pool(std::string("balance: ") + word)).config;
    EXPECT_EQ(config.pools.at("db").balance, balance) << word;
  }
}

TEST(GoodFiles, ServersAreNamedNumericOrUnix) {
  auto servers = loaded(with_servers(R"(
      - db.internal:5432
      - db.internal.:5433
      - localhost:65535
      - my_db-1:1
      - "[2001:db8::1]:80"
      - unix:/run/app.sock
      - {name: spare, address: 10.0.0.2:5432, weight: 1000, max_connections: 50, backup: true}
      - {address: 10.0.0.3:5432, weight: 0, max_connections: off, backup: no}
      - {name: "[::1]:80", address: 10.0.0.4:80})"))
                     .config.pools.at("db")
                     .servers;
  ASSERT_EQ(servers.size(), 9U);
  EXPECT_EQ(servers[0].name, "db.internal:5432");
  EXPECT_EQ(servers[0].host, "db.internal");
  EXPECT_EQ(servers[0].address, address("0.0.0.0:5432"));
  EXPECT_EQ(servers[1].host, "db.internal.");
  EXPECT_EQ(servers[2].address.port(), 65535);
  EXPECT_EQ(servers[4].address, address("[2001:db8::1]:80"));
  EXPECT_EQ(servers[4].host, "");
  EXPECT_EQ(servers[5].name, "unix:/run/app.sock");
  EXPECT_EQ(servers[5].address, address("unix:/run/app.sock"));
  EXPECT_EQ(servers[6].name, "spare");
  EXPECT_EQ(servers[6].weight, 1000U);
  EXPECT_EQ(servers[6].max_connections, 50U);
  EXPECT_TRUE(servers[6].backup);
  EXPECT_EQ(servers[7].name, "10.0.0.3:5432");
  EXPECT_EQ(servers[7].weight, 0U);
  EXPECT_FALSE(servers[7].max_connections);
  EXPECT_EQ(servers[8].name, "[::1]:80");
}

TEST(GoodFiles, AddressesThatOnlyLookAlikeDoNotConflict) {
  const char* rows[][2] = {
      {"'0.0.0.0:80'", "'[::]:80'"},
      {"'[::]:80'", "'10.0.0.1:80'"},
      {"':80'", "':81'"},
      {"'10.0.0.1:80'", "'10.0.0.2:80'"},
      {"'[::1]:80'", "'0.0.0.0:80'"},
      {"unix:/run/a", "unix:/run/b"},
  };
  for (const auto& [first, second] : rows) {
    loaded(std::string("pools: {db: {servers: ['10.0.0.1:5432']}}\nlisteners:\n  a: {pool: db, "
                       "address: ") +
           first + "}\n  b: {pool: db, address: " + second + "}\n");
  }
}

TEST(GoodFiles, ASectionWhoseKeysAreAllCommentedOutIsAbsent) {
  auto config = loaded(with_section("runtime:\n  # workers: 4\nlog:\n") + "").config;
  EXPECT_EQ(config.runtime.workers, 0U);
  auto pool = loaded(with_pool("health_check:\n      # interval: 1s")).config.pools.at("db");
  EXPECT_TRUE(pool.health_check.enabled);
  EXPECT_EQ(pool.health_check.interval, milliseconds(5'000));
}

TEST(GoodFiles, ByteOrderMarkCrLfAndDocumentMarksAreRead) {
  auto plain = loaded(
      "\xEF\xBB\xBF---\r\npools: {db: {servers: [h:1]}}\r\nlisteners:\r\n"
      "  a: {address: ':80', pool: db}\r\n...\r\n");
  EXPECT_EQ(plain.config.listeners.at("a").addresses.at(0).text, ":80");
  auto broken = load_config_text("\xEF\xBB\xBFlog: [\r\n", "/");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().front().line, 2);
}

TEST(GoodFiles, AliasesAndMergedMapsFillInAndOwnKeysWin) {
  auto config = loaded(R"(
listeners:
  a: &base
    address: ":80"
    pool: db
    backlog: 10
    timeouts: &short {idle: 10s, send: 5s}
  b:
    <<: *base
    address: ":81"
    timeouts: {<<: *short, idle: 20s}
  c:
    address: ":82"
    <<: [{backlog: 30}, *base]
pools:
  db: {servers: &servers [10.0.0.1:5432], health_check: &check {interval: 1s}}
  db2: {servers: *servers, health_check: *check}
  db3: {<<: {balance: random}, servers: *servers}
)")
                    .config;
  const ListenerConfig& b = config.listeners.at("b");
  EXPECT_EQ(b.addresses.at(0).text, ":81");
  EXPECT_EQ(b.backlog, 10U);
  EXPECT_EQ(b.timeouts.idle, milliseconds(20'000));
  EXPECT_EQ(b.timeouts.send, milliseconds(5'000));
  const ListenerConfig& c = config.listeners.at("c");
  EXPECT_EQ(c.backlog, 30U);
  EXPECT_EQ(c.addresses.size(), 1U);
  EXPECT_EQ(c.timeouts.idle, milliseconds(10'000));
  EXPECT_EQ(config.pools.at("db2").servers.at(0).address, address("10.0.0.1:5432"));
  EXPECT_EQ(config.pools.at("db2").health_check.interval, milliseconds(1'000));
  EXPECT_EQ(config.pools.at("db3").balance, Balance::random);
}

TEST(GoodFiles, EnvironmentVariablesFillValuesButNeverAddKeys) {
  ASSERT_EQ(setenv("LB_TEST_HOST", "10.9.9.9", 1), 0);
  ASSERT_EQ(setenv("LB_TEST_EMPTY", "", 1), 0);
  ASSERT_EQ(setenv("LB_TEST_HOSTILE", "x\"}\nlog: {level: debug}\n${LB_TEST_HOST} # ", 1), 0);
  unsetenv("LB_TEST_UNSET");
  auto config = loaded(R"(
runtime: {max_connections: "${LB_TEST_UNSET:-77}", drain_timeout: "${LB_TEST_EMPTY:-5s}"}
listeners: {a: {address: "${LB_TEST_UNSET:-:80}", pool: db}}
pools:
  db:
    servers: ["${LB_TEST_HOST}:${LB_TEST_UNSET:-5432}"]
    health_check: {send: "$ $$ $x $${LB_TEST_HOST}", expect: "${LB_TEST_HOSTILE}"}
)")
                    .config;
  EXPECT_EQ(config.runtime.max_connections, 77U);
  EXPECT_EQ(config.runtime.drain_timeout, milliseconds(5'000));
  EXPECT_EQ(config.listeners.at("a").addresses.at(0).text, ":80");
  EXPECT_EQ(config.log.level, log::Level::info);
  const PoolConfig& pool = config.pools.at("db");
  EXPECT_EQ(pool.servers.at(0).name, "10.9.9.9:5432");
  EXPECT_EQ(pool.health_check.send, "$ $$ $x ${LB_TEST_HOST}");
  EXPECT_EQ(pool.health_check.expect, "x\"}\nlog: {level: debug}\n${LB_TEST_HOST} # ");
}

TEST(GoodFiles, WhatIsMostLikelyNotMeantIsAWarning) {
  struct Row {
    std::string yaml;
    int line;
    int column;
    std::string path;
    std::string words;
  };
  const Row rows[] = {
      {"listeners: {a: {address: ':80', pool: db}}\n"
       "pools: {db: {servers: [h:1]}, old: {servers: [h:2]}}\n",
       2, 31, "pools.old", "no listener uses this pool"},
      {with_pool("hash_on: source_ip"), 5, 5, "pools.db.hash_on", "balance: hash"},
      {with_servers("[{address: a:1, weight: 0}]"), 4, 5, "pools.db.servers", "weight 0"},
      {with_listener("allow: [{file: /dev/null}]"), 6, 12, "listeners.a.allow",
       "every client is refused"},
  };
  for (const Row& row : rows) {
    auto [config, warnings, document] = loaded(row.yaml);
    ASSERT_EQ(warnings.size(), 1U) << row.yaml;
    EXPECT_EQ(warnings[0].line, row.line) << row.yaml;
    EXPECT_EQ(warnings[0].column, row.column) << row.yaml;
    EXPECT_EQ(warnings[0].path, row.path);
    EXPECT_NE(warnings[0].message.find(row.words), std::string::npos) << warnings[0].message;
  }
}

TEST(GoodFiles, AdminIsAbsentUnlessASectionAsksForIt) {
  EXPECT_FALSE(loaded(kShortest).config.admin);
  EXPECT_FALSE(loaded(std::string(kShortest) + "admin: off\n").config.admin);
  EXPECT_FALSE(loaded(std::string(kShortest) + "admin:\n").config.admin);
  auto admin = loaded(std::string(kShortest) + "admin: {}\n").config.admin;
  ASSERT_TRUE(admin);
  EXPECT_EQ(admin->address, address("127.0.0.1:9900"));
  EXPECT_EQ(admin->token, "");
  EXPECT_TRUE(admin->hosts.empty());
}

TEST(GoodFiles, AdminTakesItsTokenFromAFile) {
  std::filesystem::path directory = testing::TempDir();
  std::ofstream(directory / "admin.token") << "correct-horse-battery\n";
  auto admin = loaded(std::string(kShortest) +
                          "admin: {address: 'unix:/run/a.sock', token_file: admin.token, hosts: "
                          "[lb.example, localhost]}\n",
                      directory)
                   .config.admin;
  ASSERT_TRUE(admin);
  EXPECT_EQ(admin->address, address("unix:/run/a.sock"));
  EXPECT_EQ(admin->token, "correct-horse-battery");
  EXPECT_EQ(admin->hosts, (std::vector<std::string>{"lb.example", "localhost"}));
  EXPECT_TRUE(loaded(std::string(kShortest) + "admin: {hosts: []}\n").config.admin);
}

}  // namespace
}  // namespace lb::config
