// SPDX-License-Identifier: MIT
// The section pools.NAME, but for its servers and its health check.
#include <algorithm>

#include "common/log.h"
#include "config/addresses.h"
#include "config/balance.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostAttempts = 100;
constexpr milliseconds kLongestSlowStart{24LL * 3'600'000};
constexpr std::string_view kForHttp = "for pools of http listeners only";
constexpr std::string_view kForStreams = "for pools of tcp and http listeners only";
constexpr Protocols kStreams = Protocols(Protocol::tcp) | Protocol::http;

// "header:NAME" and "cookie:NAME".
std::optional<HashOn> named_key(std::string_view text, std::string& name) {
  for (auto [prefix, hash_on] :
       {std::pair("header:", HashOn::header), std::pair("cookie:", HashOn::cookie)}) {
    if (!text.starts_with(prefix)) continue;
    name = text.substr(std::string_view(prefix).size());
    return hash_on;
  }
  return {};
}

Scalar<HashOn> hash_on_of_http(std::string& name) {
  auto words = one_of<HashOn>({{"source_ip", HashOn::source_ip},
                               {"source_ip_port", HashOn::source_ip_port},
                               {"uri", HashOn::uri},
                               {"host", HashOn::host},
                               {"header:NAME", HashOn::header},
                               {"cookie:NAME", HashOn::cookie},
                               {"sni", HashOn::sni}});
  auto parse = [words = words.parse, &name](std::string_view text) -> Result<HashOn> {
    auto named = named_key(text, name);
    if (!named) return words(text);
    bool good = !name.empty() && name.find_first_of(" \t,;:=\"()") == std::string::npos;
    if (!good) return fail(quote(name) + " is no name of a header or cookie");
    return *named;
  };
  return {words.expected, std::move(parse)};
}

void read_hash_on(Section& section, Protocols here, PoolConfig& pool) {
  auto value = section.find("hash_on");
  if (!value) return;
  std::vector<Word<HashOn>> words = {{"source_ip", HashOn::source_ip},
                                     {"source_ip_port", HashOn::source_ip_port}};
  std::vector<RefusedWord> refused = {
      {"uri", kForHttp}, {"host", kForHttp}, {"header:", kForHttp}, {"cookie:", kForHttp}};
  if (here.any_of(kStreams)) {
    words.push_back({"sni", HashOn::sni});
  } else {
    refused.push_back({"sni", kForStreams});
  }
  auto hash_on =
      value->as(here.any_of(Protocol::http) ? hash_on_of_http(pool.hash_name)
                                            : one_of<HashOn>(std::move(words), std::move(refused)));
  if (!hash_on) return;
  pool.hash_on = *hash_on;
  if (pool.balance != Balance::hash) value->warn_at_key("has no effect without 'balance: hash'");
}

void read_source(const Value& value, PoolConfig& pool) {
  for (const Value& item : value.one_or_more("IP addresses")) {
    auto address = item.as(source_address());
    if (!address) continue;
    if (std::find(pool.source.begin(), pool.source.end(), *address) != pool.source.end()) {
      item.error(fmt::format("{} stands in the list twice", address->ip_string()));
      continue;
    }
    pool.source.push_back(*address);
  }
}

void read_retries(const Value& value, RetriesConfig& retries) {
  if (value.is_off()) {
    retries.attempts = 0;
    return;
  }
  auto wait = duration(milliseconds(0), milliseconds(3'600'000));
  Section section(value);
  section.read("attempts", retries.attempts, whole_number(0, kMostAttempts));
  section.read("backoff", retries.backoff, wait);
  section.read("max_backoff", retries.max_backoff, wait);
  section.read("budget", retries.budget_percent, percentage());
  if (retries.backoff <= retries.max_backoff) return;
  auto at = section.has("max_backoff") ? section.find("max_backoff") : section.find("backoff");
  if (at) {
    at->error(fmt::format("backoff ({}) is longer than max_backoff ({})",
                          to_string(retries.backoff), to_string(retries.max_backoff)));
  }
}

void read_timeouts(const Value& value, Protocols here, PoolConfig& pool) {
  Section section(value);
  section.read("connect", pool.connect_timeout, duration(milliseconds(1), kLongest));
  if (here.any_of(Protocol::http)) {
    read_http_pool_timeouts(section, pool.http);
  } else {
    section.does_not_apply({"response", "response_body", "keep_alive"}, kForHttp);
  }
}

void read_send_proxy_protocol(Section& section, Protocols here, PoolConfig& pool) {
  using enum SendProxyProtocol;
  std::vector<Word<SendProxyProtocol>> words = {{"v2", v2}};
  std::vector<RefusedWord> refused;
  if (here.any_of(kStreams)) {
    refused.push_back({"v2-each", "for pools of udp listeners only; write v2"});
  } else {
    words.push_back({"v2-each", v2_each});
  }
  // All of them: nobody uses it, or the protocol is wrong already.
  bool is_all = here.any_of(Protocol::tcp) && here.any_of(Protocol::http);
  if (here.any_of(Protocol::udp) && !is_all) {
    refused.push_back({"v1", "for streams only, and a udp listener uses this pool; write v2"});
  } else {
    words.insert(words.begin(), {"v1", v1});
  }
  section.read("send_proxy_protocol", pool.send_proxy_protocol,
               or_off(one_of(std::move(words), std::move(refused)), off));
}

// Keys about connections, of which a pool that only udp listeners use has none.
void read_connection_keys(Section& section, Protocols here, PoolConfig& pool) {
  if (!here.any_of(kStreams)) {
    section.applies_only_as_off({"retries", "queue", "hold"}, kForStreams);
    return section.does_not_apply({"on_down", "timeouts"}, kForStreams);
  }
  if (auto found = section.find("retries")) read_retries(*found, pool.retries);
  read_waiting(section, pool);
  section.read("on_down", pool.on_down,
               one_of<OnDown>({{"keep", OnDown::keep}, {"close", OnDown::close}}));
  if (auto found = section.find("timeouts")) read_timeouts(*found, here, pool);
}

void read_tls(const Value& value, Protocols here, const Draft& draft, PoolConfig& pool) {
  if (here.any_of(kStreams)) {
    pool.tls = read_pool_tls(value, draft);
  } else if (!value.is_off()) {
    value.error_at_key(fmt::format("does not apply: {}", kForStreams));
  }
}

// Datagrams tell nothing of a server's health, so that somebody has to say how to check it.
void check_datagram_pool(const Value& value, const Value& servers, bool has_health_check,
                         Protocols here, PoolConfig& pool) {
  for (const ServerConfig& server : pool.servers) {
    if (!server.host.empty() || server.address.is_ip()) continue;
    servers.error(fmt::format("server {} has no IP address, and a udp listener uses this pool",
                              quote(server.name)));
  }
  if (here.any_of(kStreams) || has_health_check) return;
  pool.health_check.enabled = false;
  value.warn_at_key(
      "its servers are not checked: a pool of udp listeners needs a health_check, such as "
      "{type: dns} or one with 'port', or health_check: off");
}

// A server can only be reached from a source address of its own family.
void check_families(const Value& source, const PoolConfig& pool) {
  for (const ServerConfig& server : pool.servers) {
    if (!server.host.empty() || !server.address.is_ip() || pool.source.empty()) continue;
    bool fits = std::any_of(pool.source.begin(), pool.source.end(), [&](const Address& address) {
      return address.family() == server.address.family();
    });
    if (fits) continue;
    source.error(fmt::format("holds no {} address, so that server {} cannot be reached",
                             server.address.is_ipv4() ? "IPv4" : "IPv6", quote(server.name)));
  }
}

// What is agreed on by ALPN. Connections that clients of tcp listeners share with nobody offer
// nothing.
void offer_protocol(Section& section, Protocols here, PoolConfig& pool) {
  bool is_http2 = pool.http.protocol == HttpProtocol::http2;
  if (!here.any_of(Protocol::tcp)) {
    pool.tls->alpn = {is_http2 ? "h2" : "http/1.1"};
  } else if (is_http2) {
    section.find("protocol")->error("h2 by TLS needs a pool that no tcp listener uses");
  }
}

// Checks by TLS do as the traffic does, unless they say otherwise.
void check_as_clients_connect(const PoolTlsConfig& tls, HealthCheckConfig& check) {
  check.verify = tls.verify;
  check.ca_file = tls.ca;
  check.tls_name = tls.server_name;
  check.certificate_file = tls.certificate;
  check.key_file = tls.key;
}

}  // namespace

void read_balance(const Value& value, Balance& balance, LoadMetric& metric) {
  if (!value.is_map()) {
    if (auto word = value.as(one_of<Balance>(balance_words()))) balance = *word;
    return;
  }
  balance = Balance::least_load;
  Section map(value);
  auto what = map.require("least_load", "name what counts, such as {least_load: cpu}");
  if (!what) return;
  auto named = what->as(one_of<LoadMetric>({{"cpu", LoadMetric::cpu},
                                            {"memory", LoadMetric::memory},
                                            {"network", LoadMetric::network},
                                            {"max", LoadMetric::max}}));
  if (named) metric = *named;
}

void read_pool(const Value& value, Draft& draft) {
  PoolConfig pool;
  pool.name = value.key();
  Protocols here = draft.protocols_of(pool.name);
  Section section(value);
  if (auto found = section.find("balance")) read_balance(*found, pool.balance, pool.load_metric);
  read_hash_on(section, here, pool);
  auto servers = section.require("servers", "list them, such as servers: [10.0.0.1:80]");
  if (servers) read_servers(*servers, pool);
  if (auto found = section.find("source")) {
    read_source(*found, pool);
    check_families(*found, pool);
  }
  if (auto found = section.find("tls")) read_tls(*found, here, draft, pool);
  if (pool.tls) check_as_clients_connect(*pool.tls, pool.health_check);
  if (auto found = section.find("health_check")) {
    read_health_check(*found, draft.directory, pool.health_check);
  }
  if (auto found = section.find("outlier_detection")) read_outlier_detection(*found, pool);
  section.read("slow_start", pool.slow_start,
               or_off(duration(milliseconds(1), kLongestSlowStart), milliseconds(0)));
  if (auto found = section.find("sticky")) read_sticky(*found, here, draft, pool);
  read_connection_keys(section, here, pool);
  read_send_proxy_protocol(section, here, pool);
  if (here.any_of(Protocol::http)) {
    read_http_pool(section, pool.http);
    if (pool.tls) offer_protocol(section, here, pool);
  } else {
    section.does_not_apply({"keep_alive_connections", "protocol"}, kForHttp);
  }
  section.reserved({"discover"});
  if (servers && here.any_of(Protocol::udp) && draft.is_used(pool.name)) {
    check_datagram_pool(value, *servers, section.has("health_check"), here, pool);
  }
  draft.config.pools[pool.name] = std::move(pool);
}

}  // namespace lb::config
