// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/cidr.h"
#include "common/rate.h"

namespace lb {

// What http listeners have beyond others, as plain data. Any thread.

enum class Balance : uint8_t;
enum class LoadMetric : uint8_t;

// "shop.example.com", or ".example.com" for *.example.com; lower case, no port, no final dot.
struct HostPattern {
  std::string name;
  bool is_wildcard = false;

  friend bool operator==(const HostPattern&, const HostPattern&) = default;
};

// "/a" exactly, or all that begins with it.
struct PathPattern {
  std::string path;
  bool is_prefix = false;

  friend bool operator==(const PathPattern&, const PathPattern&) = default;
};

// A header or a query parameter with a value; "*" = any.
using NameAndValue = std::pair<std::string, std::string>;

// Each list: one of them must fit; empty = anything does. Of headers and queries all must fit.
struct HttpMatch {
  std::vector<HostPattern> hosts;
  std::vector<PathPattern> paths;
  std::vector<std::string> methods;
  std::vector<NameAndValue> headers;
  std::vector<NameAndValue> queries;
  std::optional<CidrSet> source;
  std::optional<bool> authenticated;  // a valid token is there, or is not

  friend bool operator==(const HttpMatch&, const HttpMatch&) = default;
};

struct HeaderRules {
  std::vector<NameAndValue> set;
  std::vector<NameAndValue> add;
  std::vector<std::string> remove;

  friend bool operator==(const HeaderRules&, const HeaderRules&) = default;
};

struct HttpRedirect {
  std::string to;  // with {scheme} {host} {port} {uri} {path} {query}
  int status = 308;

  friend bool operator==(const HttpRedirect&, const HttpRedirect&) = default;
};

struct HttpRespond {
  uint32_t status = 200;
  std::string body;
  std::vector<NameAndValue> headers;

  friend bool operator==(const HttpRespond&, const HttpRespond&) = default;
};

struct HttpRewrite {
  std::string strip_prefix;
  std::string add_prefix;
  std::string host;

  friend bool operator==(const HttpRewrite&, const HttpRewrite&) = default;
};

// How often a route may be asked, for each value of a key.
struct RequestLimit {
  enum class By : uint8_t { source, header, claim };
  Rate rate;
  By by = By::source;
  std::string name = {};  // of the header or claim

  friend bool operator==(const RequestLimit&, const RequestLimit&) = default;
};

struct PoolShare {
  std::string pool;
  uint32_t weight = 1;

  friend bool operator==(const PoolShare&, const PoolShare&) = default;
};

// One of pools, redirect and respond.
struct HttpRoute {
  HttpMatch match;
  std::vector<PoolShare> pools;  // several: split
  std::optional<HttpRedirect> redirect;
  std::optional<HttpRespond> respond;
  std::optional<Balance> balance;    // instead of the pool's
  LoadMetric load_metric{};          // for that one
  bool is_sticky = true;             // false: ignores the pool's stickiness
  std::string jwt;                   // the verifier without whose token there is a 401; empty: none
  std::string verifier;              // by whose tokens it goes; empty: by none
  std::vector<NameAndValue> claims;  // headers with the claims that they carry
  HttpRewrite rewrite;
  HeaderRules request_headers;
  HeaderRules response_headers;
  std::chrono::milliseconds timeout{0};  // of the whole request; 0 = off
  std::optional<RequestLimit> limit;     // absent: off

  friend bool operator==(const HttpRoute&, const HttpRoute&) = default;
};

struct HttpLimits {
  uint64_t max_header_size = 32 * 1024;
  uint64_t max_uri_size = 8 * 1024;
  std::optional<uint64_t> max_body_size;  // absent: off, as the next
  std::optional<Rate> request_rate_per_source;
  uint32_t max_streams = 100;  // of one HTTP/2 connection

  friend bool operator==(const HttpLimits&, const HttpLimits&) = default;
};

struct HttpListenerConfig {
  HttpLimits limits;
  CidrSet trusted_proxies;
  std::vector<HttpRoute> routes;  // the first that matches wins

  friend bool operator==(const HttpListenerConfig&, const HttpListenerConfig&) = default;
};

enum class HttpProtocol : uint8_t { http1, http2 };

// How a pool's servers are spoken to over HTTP.
struct HttpPoolConfig {
  HttpProtocol protocol = HttpProtocol::http1;
  std::chrono::milliseconds response_timeout{60'000};          // to its first byte
  std::chrono::milliseconds response_body_timeout{3'600'000};  // silence inside it
  std::chrono::milliseconds keep_alive{55'000};
  uint32_t keep_alive_connections = 64;  // per server and worker; 0 = none

  friend bool operator==(const HttpPoolConfig&, const HttpPoolConfig&) = default;
};

}  // namespace lb
