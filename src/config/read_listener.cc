// SPDX-License-Identifier: MIT
// The section listeners.NAME.
#include <algorithm>

#include "common/log.h"
#include "config/addresses.h"
#include "config/network_list.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostBacklog = 65'535;
// What the kernel takes for TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT.
constexpr milliseconds kLongestKeepalive{32'767'000};
constexpr uint32_t kMostKeepaliveProbes = 127;

constexpr std::string_view kForTcp = "for tcp listeners only";
constexpr std::string_view kForHttp = "for http listeners only";
constexpr std::string_view kForUdp = "for udp listeners only";
constexpr std::string_view kForStreams = "for tcp and http listeners only";
constexpr Protocols kStreams = Protocols(Protocol::tcp) | Protocol::http;
constexpr milliseconds kUdpIdle{30'000};
constexpr uint32_t kMostResponses = 1'000'000;

Protocols read_protocol(Section& section, ListenerConfig& listener) {
  auto value = section.find("protocol");
  if (!value) return listener.protocol;
  auto protocol = value->as(
      one_of<Protocol>({{"tcp", Protocol::tcp}, {"udp", Protocol::udp}, {"http", Protocol::http}}));
  if (!protocol) return Protocols::all();
  listener.protocol = *protocol;
  return *protocol;
}

void read_addresses(Section& section, ListenerConfig& listener, Draft& draft) {
  auto value = section.require("address", "say where to listen, such as address: \":5432\"");
  if (!value) return;
  for (const Value& item : value->one_or_more("addresses")) {
    auto address = item.as(listen_address());
    if (!address) continue;
    draft.listen_claims.push_back({item, listener.name, *address});
    listener.addresses.push_back(std::move(*address));
  }
}

void read_pool_or_routes(Section& section, Protocols here, ListenerConfig& listener, Draft& draft) {
  if (auto routes = section.find("routes"); routes && !routes->is_off()) {
    if (auto pool = section.find("pool")) {
      pool->error_at_key(
          "stands beside 'routes', which name the pools; a route without 'match' "
          "takes the rest");
    }
    if (listener.protocol == Protocol::http) {
      return read_http_routes(*routes, listener.http, draft);
    }
    if (here.any_of(Protocol::tcp)) return read_routes(*routes, here, listener, draft);
    return routes->error_at_key("does not apply: for tcp and http listeners only");
  }
  auto value = section.require("pool", "name one of the file's pools");
  if (!value) return;
  Scalar<std::string> name{"the name of a pool",
                           [](std::string_view text) { return std::string(text); }};
  if (auto pool = value->as(name)) {
    draft.pool_references.push_back({*value, *pool, here});
    if (listener.protocol == Protocol::http) {
      listener.http.routes.emplace_back().pools.push_back({*pool, 1});
    }
    listener.pool = std::move(*pool);
  }
}

std::vector<Cidr> read_network_items(const Value& list) {
  std::vector<Cidr> networks;
  for (const Value& item : list.items("networks")) {
    if (auto cidr = item.as(network())) networks.push_back(*cidr);
  }
  return networks;
}

void read_proxy_protocol(const Value& value, ListenerConfig& listener) {
  if (value.is_off()) return;
  Section section(value);
  bool only_unix = !listener.addresses.empty() &&
                   std::all_of(listener.addresses.begin(), listener.addresses.end(),
                               [](const auto& listen) { return listen.address.is_unix(); });
  if (only_unix && value.is_map()) listener.proxy_protocol_trusted.emplace();
  auto trusted = listener.proxy_protocol_trusted
                     ? section.find("trusted")
                     : section.require("trusted",
                                       "list the networks whose connections begin with a "
                                       "PROXY header");
  if (trusted) listener.proxy_protocol_trusted = CidrSet(read_network_items(*trusted));
}

// {file: PATH} in a list of networks.
void read_followed_file(const Value& item, const std::filesystem::path& directory,
                        NetworkSource& source, std::vector<Cidr>& networks) {
  Section section(item);
  auto value = section.require("file", "an item is a network or {file: PATH}");
  if (!value) return;
  Scalar<std::string> path{"the path of a file", [](std::string_view text) -> Result<std::string> {
                             if (text.empty()) return fail("must be the path of a file");
                             return std::string(text);
                           }};
  auto written = value->as(path);
  if (!written) return;
  std::filesystem::path file = directory / *written;
  auto read = read_network_file(file);
  if (!read) {
    for (const std::string& problem : read.error()) value->error(problem);
    return;
  }
  source.files.push_back(file.native());
  networks.insert(networks.end(), read->begin(), read->end());
}

CidrSet read_access_list(const Value& value, const std::filesystem::path& directory,
                         NetworkSource& source) {
  std::vector<Cidr> networks;
  for (const Value& item : value.items("networks and {file: PATH}")) {
    if (item.is_map()) {
      read_followed_file(item, directory, source, networks);
    } else if (auto cidr = item.as(network())) {
      source.networks.push_back(*cidr);
    }
  }
  networks.insert(networks.end(), source.networks.begin(), source.networks.end());
  return CidrSet(networks);
}

void read_limits(const Value& value, Protocols here, ListenerConfig& listener) {
  Section section(value);
  if (here.any_of(kStreams)) {
    section.read("max_connections", listener.max_connections,
                 optional_or_off(whole_number(1, kMostConnections)));
    section.read("max_connections_per_source", listener.client_limits.connections_per_source,
                 optional_or_off(whole_number(1, kMostConnections)));
    read_rate(section, "connection_rate", listener.client_limits.rate);
    read_rate(section, "connection_rate_per_source", listener.client_limits.rate_per_source);
  } else {
    section.applies_only_as_off({"max_connections"},
                                "for tcp and http listeners only; see udp.max_sessions");
    section.applies_only_as_off(
        {"max_connections_per_source", "connection_rate", "connection_rate_per_source"},
        kForStreams);
  }
  if (here.any_of(Protocol::http)) {
    read_http_limits(section, listener.http.limits);
  } else {
    section.applies_only_as_off({"request_rate_per_source", "max_body_size"}, kForHttp);
    section.does_not_apply({"max_header_size", "max_uri_size", "max_streams"}, kForHttp);
  }
  if (here.any_of(Protocol::udp)) {
    read_rate(section, "datagram_rate", listener.datagram_rate);
    read_rate(section, "datagram_rate_per_source", listener.datagram_rate_per_source);
  } else {
    section.applies_only_as_off({"datagram_rate", "datagram_rate_per_source"}, kForUdp);
  }
}

void read_timeouts(const Value& value, Protocols here, ListenerTimeouts& timeouts) {
  auto wait = or_off(duration(milliseconds(1), kLongest), milliseconds(0));
  Section section(value);
  section.read("idle", timeouts.idle, wait);
  if (here.any_of(Protocol::tcp)) {
    section.read("half_close", timeouts.half_close, wait);
  } else {
    section.does_not_apply({"half_close"}, kForTcp);
  }
  if (here.any_of(kStreams)) {
    section.read("send", timeouts.send, wait);
    section.read("tls_handshake", timeouts.tls_handshake, wait);
  } else {
    section.does_not_apply({"send", "tls_handshake"}, kForStreams);
  }
  if (here.any_of(Protocol::http)) {
    read_http_timeouts(section, timeouts);
  } else {
    section.does_not_apply({"request_header", "request_body", "keep_alive"}, kForHttp);
  }
}

void read_keepalive(const Value& value, KeepaliveConfig& keepalive) {
  if (value.is_off()) {
    keepalive.enabled = false;
    return;
  }
  auto seconds = whole_seconds(milliseconds(1'000), kLongestKeepalive);
  Section section(value);
  section.read("idle", keepalive.idle, seconds);
  section.read("interval", keepalive.interval, seconds);
  section.read("count", keepalive.count, whole_number(1, kMostKeepaliveProbes));
}

void read_udp(const Value& value, ListenerConfig& listener) {
  Section section(value);
  section.read("responses", listener.udp_responses,
               optional_or_off(whole_number(1, kMostResponses)));
  section.read("max_sessions", listener.udp_max_sessions, whole_number(1, kMostConnections));
}

// What the addresses stand for depends on the protocol.
void claim_datagrams(const std::string& listener, Draft& draft) {
  for (Draft::ListenClaim& claim : draft.listen_claims) {
    if (claim.listener != listener) continue;
    claim.datagrams = true;
    if (!claim.address.address.is_ip()) {
      claim.value.error("a udp listener has an IP address and port, not a unix socket");
    }
  }
}

}  // namespace

void read_listener(const Value& value, Draft& draft) {
  ListenerConfig listener;
  listener.name = value.key();
  Section section(value);
  read_addresses(section, listener, draft);
  Protocols here = read_protocol(section, listener);
  if (listener.protocol == Protocol::udp) {
    listener.timeouts.idle = kUdpIdle;
    claim_datagrams(listener.name, draft);
  }
  read_pool_or_routes(section, here, listener, draft);
  if (here.any_of(kStreams)) {
    section.read("backlog", listener.backlog, whole_number(1, kMostBacklog));
    if (auto found = section.find("keepalive")) read_keepalive(*found, listener.keepalive);
  } else {
    section.does_not_apply({"backlog"}, kForStreams);
    section.applies_only_as_off({"keepalive"}, kForStreams);
  }
  if (auto found = section.find("proxy_protocol")) read_proxy_protocol(*found, listener);
  if (auto found = section.find("allow")) {
    listener.allow = read_access_list(*found, draft.directory, listener.allow_source);
    if (listener.allow->empty()) found->warn("holds no network: every client is refused");
  }
  if (auto found = section.find("deny")) {
    listener.deny = read_access_list(*found, draft.directory, listener.deny_source);
  }
  if (auto found = section.find("limits")) read_limits(*found, here, listener);
  if (auto found = section.find("timeouts")) read_timeouts(*found, here, listener.timeouts);
  if (auto found = section.find("tls")) {
    if (here.any_of(kStreams)) {
      listener.tls = read_listener_tls(*found, here, draft);
    } else if (!found->is_off()) {
      found->error_at_key(fmt::format("does not apply: {}", kForStreams));
    }
  }
  if (auto found = section.find("access_log")) read_access_log(*found, listener.access_log);
  if (!here.any_of(Protocol::udp)) {
    section.applies_only_as_off({"udp"}, kForUdp);
  } else if (auto found = section.find("udp")) {
    read_udp(*found, listener);
  }
  if (here.any_of(Protocol::http)) {
    read_trusted_proxies(section, listener.http);
  } else {
    section.applies_only_as_off({"trusted_proxies"}, kForHttp);
  }
  draft.config.listeners[listener.name] = std::move(listener);
}

}  // namespace lb::config
