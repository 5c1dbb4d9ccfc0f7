// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "config/loader.h"

namespace lb {
namespace {

LoadedConfig loaded(const std::string& yaml) {
  auto result = load_config_text(yaml, "/nonexistent");
  if (!result) {
    for (const ConfigProblem& problem : result.error()) {
      ADD_FAILURE() << problem.to_string("lb.yaml");
    }
    return {};
  }
  return std::move(*result);
}

TEST(HttpFiles, TheShortestFileHasEveryDefault) {
  auto [config, warnings, document] = loaded(R"(
listeners: {web: {address: ":80", protocol: http, pool: app}}
pools: {app: {servers: ["10.0.0.1:80"]}}
)");
  EXPECT_TRUE(warnings.empty());
  const ListenerConfig& web = config.listeners.at("web");
  EXPECT_EQ(web.protocol, Protocol::http);
  EXPECT_EQ(web.http.limits.max_header_size, 32u * 1024);
  EXPECT_EQ(web.http.limits.max_uri_size, 8u * 1024);
  EXPECT_FALSE(web.http.limits.max_body_size);
  EXPECT_EQ(web.http.limits.max_streams, 100u);
  EXPECT_EQ(web.timeouts.request_header, milliseconds(10'000));
  EXPECT_EQ(web.timeouts.request_body, milliseconds(30'000));
  EXPECT_EQ(web.timeouts.keep_alive, milliseconds(60'000));
  EXPECT_TRUE(web.http.trusted_proxies.empty());
  ASSERT_EQ(web.http.routes.size(), 1u);
  EXPECT_EQ(web.http.routes[0].match, HttpMatch());
  EXPECT_EQ(web.http.routes[0].pools, (std::vector<PoolShare>{{"app", 1}}));
  const HttpPoolConfig& app = config.pools.at("app").http;
  EXPECT_EQ(app.response_timeout, milliseconds(60'000));
  EXPECT_EQ(app.response_body_timeout, milliseconds(3'600'000));
  EXPECT_EQ(app.keep_alive, milliseconds(55'000));
  EXPECT_EQ(app.keep_alive_connections, 64u);
}

TEST(HttpFiles, EveryKeyIsTaken) {
  auto [config, warnings, document] = loaded(R"(
listeners:
  web:
    address: ":80"
    protocol: http
    limits:
      max_header_size: 16KiB
      max_uri_size: 4KiB
      max_body_size: 10MiB
      max_connections_per_source: 10
      connection_rate: 1000/s
      connection_rate_per_source: {rate: 5/s, burst: 50}
      request_rate_per_source: 600/m
      max_streams: 7
    timeouts: {request_header: 5s, request_body: 6s, keep_alive: off, idle: 2m}
    trusted_proxies: [10.0.0.0/8]
    routes:
      - match:
          host: [Shop.Example., "*.example.com"]
          path: [/a, "/%61b/*"]
          method: [GET, PUT]
          header: {X-Beta: 1}
          query: {v: "2"}
          source: 192.168.0.0/16
        split: {app: 90, canary: 10}
        balance: least_connections
        rewrite: {strip_prefix: /api, add_prefix: /v2, host: internal.example}
        request_headers: {set: {X-A: "1"}, add: {X-B: "2"}, remove: [X-C]}
        response_headers: {remove: Server}
        timeout: 3s
        limits: {request_rate: 100/s, key: "header:X-Api-Key"}
      - {match: {path: /old}, redirect: {to: "https://{host}{uri}"}, limits: {request_rate: 1/s}}
      - {respond: {status: 503, body: closed, headers: {Retry-After: 60}}}
pools:
  app:
    servers: ["10.0.0.1:80"]
    balance: hash
    hash_on: "header:X-User"
    protocol: h2
    keep_alive_connections: 0
    timeouts: {connect: 1s, response: 2s, response_body: 3s, keep_alive: off}
  canary: {servers: ["10.0.0.2:80"]}
)");
  EXPECT_TRUE(warnings.empty());
  const HttpListenerConfig& http = config.listeners.at("web").http;
  EXPECT_EQ(http.limits.max_body_size, 10u * 1024 * 1024);
  EXPECT_EQ(http.limits.request_rate_per_source, (Rate{600, milliseconds(60'000), 10}));
  const ClientLimitsConfig& limits = config.listeners.at("web").client_limits;
  EXPECT_EQ(limits.connections_per_source, 10u);
  EXPECT_EQ(limits.rate, (Rate{1'000, milliseconds(1'000), 1'000}));
  EXPECT_EQ(limits.rate_per_source, (Rate{5, milliseconds(1'000), 50}));
  EXPECT_EQ(http.limits.max_streams, 7u);
  EXPECT_TRUE(http.trusted_proxies.contains(*Address::parse("10.1.2.3:80")));
  ASSERT_EQ(http.routes.size(), 3u);
  const HttpRoute& first = http.routes[0];
  EXPECT_EQ(first.match.hosts,
            (std::vector<HostPattern>{{"shop.example", false}, {".example.com", true}}));
  EXPECT_EQ(first.match.paths, (std::vector<PathPattern>{{"/a", false}, {"/ab/", true}}));
  EXPECT_EQ(first.match.headers, (std::vector<NameAndValue>{{"X-Beta", "1"}}));
  EXPECT_EQ(first.pools, (std::vector<PoolShare>{{"app", 90}, {"canary", 10}}));
  EXPECT_EQ(first.balance, Balance::least_connections);
  EXPECT_EQ(first.rewrite, (HttpRewrite{"/api", "/v2", "internal.example"}));
  EXPECT_EQ(first.request_headers.add, (std::vector<NameAndValue>{{"X-B", "2"}}));
  EXPECT_EQ(first.response_headers.remove, (std::vector<std::string>{"Server"}));
  EXPECT_EQ(first.timeout, milliseconds(3'000));
  EXPECT_EQ(first.limit,
            (RequestLimit{{100, milliseconds(1'000), 100}, RequestLimit::By::header, "X-Api-Key"}));
  EXPECT_EQ(http.routes[1].redirect, (HttpRedirect{"https://{host}{uri}", 308}));
  EXPECT_EQ(http.routes[1].limit,
            (RequestLimit{{1, milliseconds(1'000), 1}, RequestLimit::By::source, ""}));
  EXPECT_EQ(http.routes[2].respond, (HttpRespond{503, "closed", {{"Retry-After", "60"}}}));
  const PoolConfig& app = config.pools.at("app");
  EXPECT_EQ(app.hash_on, HashOn::header);
  EXPECT_EQ(app.hash_name, "X-User");
  EXPECT_EQ(app.http.keep_alive, milliseconds(0));
  EXPECT_EQ(app.http.protocol, HttpProtocol::http2);
}

TEST(HttpFiles, ARouteThatCanNeverMatchIsAWarning) {
  struct Row {
    const char* earlier;
    const char* later;
    bool warned;
  };
  const Row rows[] = {
      {"{}", "{path: /a}", true},
      {"{path: /a}", "{}", false},
      {"{path: /a}", "{path: /a}", true},
      {"{path: '/a*'}", "{path: /ab}", true},
      {"{path: '/a*'}", "{path: '/ab/*'}", true},
      {"{path: '/ab/*'}", "{path: '/a*'}", false},
      {"{path: /a}", "{path: '/a*'}", false},
      {"{path: [/a, /b]}", "{path: /b}", true},
      {"{path: /b}", "{path: [/a, /b]}", false},
      {"{host: '*.example'}", "{host: a.example}", true},
      {"{host: '*.example'}", "{host: example}", false},
      {"{host: '*.example'}", "{host: '*.a.example'}", true},
      {"{host: a.example}", "{host: '*.example'}", false},
      {"{host: a.example}", "{path: /a}", false},
      {"{method: GET}", "{method: HEAD}", true},
      {"{method: GET}", "{method: [GET, POST]}", false},
      {"{header: {X: '*'}}", "{header: {x: '1'}}", true},
      {"{header: {X: '1'}}", "{header: {X: '*'}}", false},
      {"{header: {X: '1'}}", "{header: {X: '1'}, path: /a}", true},
      {"{query: {a: '1'}}", "{query: {a: '2'}}", false},
      {"{source: 10.0.0.0/8}", "{source: 10.0.0.0/8}", true},
      {"{source: 10.0.0.0/8}", "{path: /a}", false},
  };
  for (const Row& row : rows) {
    std::string yaml = std::string(R"(
listeners:
  web:
    address: ":80"
    protocol: http
    routes:
      - {match: )") + row.earlier +
                       ", pool: app}\n      - {match: " + row.later +
                       ", pool: app}\npools: {app: {servers: ['10.0.0.1:80']}}\n";
    auto [config, warnings, document] = loaded(yaml);
    ASSERT_EQ(warnings.size(), row.warned ? 1u : 0u) << row.earlier << " before " << row.later;
    if (!row.warned) continue;
    EXPECT_EQ(warnings[0].path, "listeners.web.routes[1]");
    EXPECT_NE(warnings[0].message.find("can never match"), std::string::npos);
  }
}

}  // namespace
}  // namespace lb
