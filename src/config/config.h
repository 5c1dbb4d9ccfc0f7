// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/cidr.h"
#include "common/log.h"
#include "common/named_file.h"
#include "common/rate.h"
#include "config/access_log.h"
#include "config/health_check.h"
#include "config/http_config.h"
#include "config/jwt.h"
#include "config/route.h"
#include "config/sticky.h"
#include "config/tls.h"
#include "config/tracing.h"

namespace lb {

// The running configuration as plain data, after checking: what docs/configuration.md describes key
// by key. Made by load_config(), never changed afterwards. Any thread.

using std::chrono::milliseconds;

struct RuntimeConfig {
  uint32_t workers = 0;  // event-loop threads; 0 = auto, the CPUs that this process may use
  uint32_t max_connections = 100'000;
  milliseconds drain_timeout{30'000};
};

// The admin listener. Its address takes effect at start.
struct AdminConfig {
  Address address;
  bool dual_stack = false;         // as of ListenAddress
  std::string token;               // empty: none, and no changes over TCP
  std::vector<std::string> hosts;  // names that a browser may use besides IP addresses, localhost
  std::string state_file;          // where changes at run time are kept; empty: nowhere
  // Files, PEM; empty: in clear, for unix paths and loopback addresses.
  std::string tls_certificate;
  std::string tls_key;

  friend bool operator==(const AdminConfig&, const AdminConfig&) = default;
};

// An address to listen on. ":80" stands for IPv4 and IPv6 on one dual-stack socket.
struct ListenAddress {
  Address address;
  bool dual_stack = false;  // written ":80": address is [::]:80, or 0.0.0.0:80 without IPv6
  std::string text;         // as written

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

struct KeepaliveConfig {
  bool enabled = true;            // off: no probes; a dead peer is found by the timeouts alone
  milliseconds idle{60'000};      // whole seconds
  milliseconds interval{10'000};  // whole seconds
  uint32_t count = 6;

  friend bool operator==(const KeepaliveConfig&, const KeepaliveConfig&) = default;
};

struct ListenerTimeouts {
  // 0 = off for each of them.
  milliseconds idle{3'600'000};        // both directions silent; udp: 30s
  milliseconds half_close{3'600'000};  // one side has finished, the other is silent
  milliseconds send{60'000};           // the client takes nothing of what we have for it
  milliseconds tls_handshake{10'000};  // until PROXY header and handshake are done
  // http
  milliseconds request_header{10'000};  // first byte to end of head
  milliseconds request_body{30'000};    // silence inside a request's body
  milliseconds keep_alive{60'000};      // between requests

  friend bool operator==(const ListenerTimeouts&, const ListenerTimeouts&) = default;
};

// Where a list of networks comes from, so that it can be read again when its files change
// (config/network_list.h).
struct NetworkSource {
  std::vector<Cidr> networks;      // written in the configuration itself
  std::vector<std::string> files;  // absolute, or relative to the working directory

  friend bool operator==(const NetworkSource&, const NetworkSource&) = default;
};

// On the connections of a tcp or http listener. Absent: off.
struct ClientLimitsConfig {
  std::optional<uint32_t> connections_per_source;  // open at a time
  std::optional<Rate> rate;                        // of new ones, from everywhere
  std::optional<Rate> rate_per_source;

  friend bool operator==(const ClientLimitsConfig&, const ClientLimitsConfig&) = default;
};

// What a listener's clients speak.
enum class Protocol { tcp, udp, http };

struct ListenerConfig {
  std::string name;
  Protocol protocol = Protocol::tcp;
  std::vector<ListenAddress> addresses;
  std::string pool;                 // "" = by routes
  std::vector<RouteConfig> routes;  // the first that matches
  uint32_t backlog = 4096;
  // Whose connections begin with a PROXY header, beside all that come to unix sockets. Absent:
  // nobody's.
  std::optional<CidrSet> proxy_protocol_trusted;
  std::optional<CidrSet> allow;  // absent: everyone
  CidrSet deny;
  NetworkSource allow_source;  // what `allow` was made from; its files are followed
  NetworkSource deny_source;
  std::optional<uint32_t> max_connections;  // absent: off
  ClientLimitsConfig client_limits;
  ListenerTimeouts timeouts;
  KeepaliveConfig keepalive;
  std::optional<ListenerTlsConfig> tls;
  // udp:
  std::optional<uint32_t> udp_responses;  // a session ends after so many replies to each datagram
  uint32_t udp_max_sessions = 65'536;
  std::optional<Rate> datagram_rate;  // absent: off, as the next
  std::optional<Rate> datagram_rate_per_source;
  HttpListenerConfig http;
  std::optional<AccessLogConfig> access_log;  // absent: off
};

// The pools that a listener's connections may go to.
std::set<std::string> pools_of(const ListenerConfig& listener);

enum class Balance : uint8_t {
  round_robin,
  least_connections,
  least_response_time,
  least_load,
  source_ip_hash,
  hash,
  random,
};

// What counts for least_load. max: the greater of cpu and network.
enum class LoadMetric : uint8_t { max, cpu, memory, network };

enum class HashOn { source_ip, source_ip_port, uri, host, header, cookie, sni };

struct ServerConfig {
  std::string name;  // the address as written when none is given
  std::string host;  // a host name to resolve; empty when address is complete
  Address address;   // for a host name only the port is set (0.0.0.0:port)
  uint32_t weight = 1;
  std::optional<uint32_t> max_connections;  // absent: off
  bool backup = false;

  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

struct RetriesConfig {
  uint32_t attempts = 2;  // tries after the first
  milliseconds backoff{25};
  milliseconds max_backoff{1'000};
  uint32_t budget_percent = 20;

  friend bool operator==(const RetriesConfig&, const RetriesConfig&) = default;
};

// When live traffic fails at a server so often that it is left alone for a while.
struct OutlierConfig {
  uint32_t consecutive_failures = 5;
  milliseconds eject_for{30'000};  // the first time; the n-th lasts n times as long
  uint32_t max_ejected_percent = 50;

  friend bool operator==(const OutlierConfig&, const OutlierConfig&) = default;
};

// Work that waits for a server.
struct QueueConfig {
  uint32_t size = 1024;         // at most so many wait, for whatever reason
  milliseconds timeout{1'000};  // while usable servers are full; 0 = nobody waits for that

  friend bool operator==(const QueueConfig&, const QueueConfig&) = default;
};

enum class OnDown { keep, close };
enum class SendProxyProtocol { off, v1, v2, v2_each };

struct PoolConfig {
  std::string name;
  Balance balance = Balance::round_robin;
  LoadMetric load_metric = LoadMetric::max;  // for least_load
  HashOn hash_on = HashOn::source_ip;
  std::string hash_name;  // of the header or cookie
  std::vector<ServerConfig> servers;
  std::vector<Address> source;  // local addresses to connect from, port 0; any of them, by chance
  HealthCheckConfig health_check;
  std::optional<OutlierConfig> outlier_detection;  // absent: off
  milliseconds slow_start{0};                      // 0 = off
  RetriesConfig retries;
  QueueConfig queue;
  milliseconds hold{0};  // while no server is usable or can be connected to; 0 = nobody waits
  OnDown on_down = OnDown::keep;
  milliseconds connect_timeout{2'000};
  SendProxyProtocol send_proxy_protocol = SendProxyProtocol::off;
  std::optional<PoolTlsConfig> tls;
  HttpPoolConfig http;
  std::optional<StickyConfig> sticky;  // absent: none

  friend bool operator==(const PoolConfig&, const PoolConfig&) = default;
};

// A file that the configuration names.
struct NamedFile {
  std::string key;   // where: "listeners.web.tls.certificates[0].key"
  std::string path;  // absolute, or relative to the working directory
  FileUse use = FileUse::read;

  friend bool operator==(const NamedFile&, const NamedFile&) = default;
};

// What the process gives up at start, and the files that it keeps.
struct SandboxConfig {
  bool enabled = true;  // runtime.sandbox
  std::string user;     // runtime.user; empty: it stays who it is
  std::vector<NamedFile> files;
};

struct Config {
  RuntimeConfig runtime;
  log::Settings log;
  std::optional<AdminConfig> admin;      // absent: none
  std::optional<TracingConfig> tracing;  // absent: off
  std::map<std::string, ListenerConfig> listeners;
  std::map<std::string, PoolConfig> pools;
  std::map<std::string, JwtConfig> jwt;
  SandboxConfig sandbox;
};

}  // namespace lb
