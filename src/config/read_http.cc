// SPDX-License-Identifier: MIT
// What http listeners and the pools behind them have beyond others, but for routes.
#include "config/addresses.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint64_t kSmallestHeader = 1024;
constexpr uint64_t kLargestHeader = 1024 * 1024;
constexpr uint64_t kSmallestUri = 256;
constexpr uint64_t kLargestBody = uint64_t{1} << 50;
constexpr uint32_t kMostIdleConnections = 10'000;
constexpr uint32_t kMostStreams = 10'000;

}  // namespace

void read_http_limits(Section& section, HttpLimits& limits) {
  section.read("max_header_size", limits.max_header_size, size(kSmallestHeader, kLargestHeader));
  section.read("max_uri_size", limits.max_uri_size, size(kSmallestUri, kLargestHeader));
  section.read("max_body_size", limits.max_body_size, optional_or_off(size(1, kLargestBody)));
  read_rate(section, "request_rate_per_source", limits.request_rate_per_source);
  section.read("max_streams", limits.max_streams, whole_number(1, kMostStreams));
}

void read_http_timeouts(Section& section, ListenerTimeouts& timeouts) {
  auto wait = or_off(duration(milliseconds(1), kLongest), milliseconds(0));
  section.read("request_header", timeouts.request_header, wait);
  section.read("request_body", timeouts.request_body, wait);
  section.read("keep_alive", timeouts.keep_alive, wait);
}

void read_trusted_proxies(Section& section, HttpListenerConfig& http) {
  auto value = section.find("trusted_proxies");
  // An empty list is the default, so it may be written.
  if (!value || value->is_off() || value->is_empty_list()) return;
  std::vector<Cidr> networks;
  for (const Value& item : value->items("networks")) {
    if (auto cidr = item.as(network())) networks.push_back(*cidr);
  }
  http.trusted_proxies = CidrSet(networks);
}

void read_http_pool_timeouts(Section& section, HttpPoolConfig& http) {
  auto wait = or_off(duration(milliseconds(1), kLongest), milliseconds(0));
  section.read("response", http.response_timeout, wait);
  section.read("response_body", http.response_body_timeout, wait);
  section.read("keep_alive", http.keep_alive, wait);
}

void read_http_pool(Section& section, HttpPoolConfig& http) {
  section.read("keep_alive_connections", http.keep_alive_connections,
               whole_number(0, kMostIdleConnections));
  section.read(
      "protocol", http.protocol,
      one_of<HttpProtocol>({{"http/1.1", HttpProtocol::http1}, {"h2", HttpProtocol::http2}}));
}

}  // namespace lb::config
