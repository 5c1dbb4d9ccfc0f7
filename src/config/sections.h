// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/section.h"
#include "config/tls_inspector.h"

namespace lb::config {

// The protocols that a section is for: a listener's own, or those of all listeners that use a pool.
// Where they cannot be told they are all, so that no key is held against an unknown protocol.
class Protocols {
 public:
  constexpr Protocols() = default;
  constexpr Protocols(Protocol protocol) : bits_(1U << static_cast<unsigned>(protocol)) {}
  static constexpr Protocols all() {
    return Protocols(Protocol::tcp) | Protocol::udp | Protocol::http;
  }
  constexpr bool any_of(Protocols others) const { return (bits_ & others.bits_) != 0; }
  constexpr bool none() const { return bits_ == 0; }
  friend constexpr Protocols operator|(Protocols a, Protocols b) {
    a.bits_ |= b.bits_;
    return a;
  }

 private:
  unsigned bits_ = 0;
};

// A configuration while it is read: what is known so far, and what only the whole file can tell
// (config/checks.h).
struct Draft {
  std::filesystem::path directory;    // relative files are taken from here
  const TlsInspector* tls = nullptr;  // null: certificates are only looked for
  Config config;

  struct PoolReference {
    Value value;
    std::string pool;
    Protocols protocols;  // of the listener
    bool at_key = false;  // the key is the pool's name
  };
  std::vector<PoolReference> pool_references;

  struct ListenClaim {
    Value value;
    std::string listener;
    ListenAddress address;
    bool datagrams = false;  // udp, which shares no ports with tcp
  };
  std::vector<ListenClaim> listen_claims;

  // Of all listeners that use this pool; of a pool that none uses, all.
  Protocols protocols_of(const std::string& pool) const {
    Protocols all;
    for (const PoolReference& reference : pool_references) {
      if (reference.pool == pool) all = all | reference.protocols;
    }
    return all.none() ? Protocols::all() : all;
  }

  bool is_used(const std::string& pool) const {
    return std::any_of(pool_references.begin(), pool_references.end(),
                       [&](const PoolReference& reference) { return reference.pool == pool; });
  }

  std::set<std::string> jwt_names;
  // Keys of routes that go by the tokens of a verifier, whose name the route may leave out.
  struct VerifierUse {
    Value value;
    HttpRoute route;
  };
  std::vector<VerifierUse> verifier_uses;
  std::vector<Value> pools;  // whether what they hold is right or not
};

// One function for each section of the file. Each fills its part of the draft, keeps defaults where
// something is wrong, and reports what it finds.
void read_runtime(const Value& value, Config& config);
void read_log(const Value& value, log::Settings& log);
void read_admin(const Value& value, Draft& draft);
void read_tracing(const Value& value, std::optional<TracingConfig>& tracing);
void read_listener(const Value& value, Draft& draft);
// What http listeners, and pools that they use, have beyond others.
void read_http_limits(Section& section, HttpLimits& limits);
void read_http_timeouts(Section& section, ListenerTimeouts& timeouts);
void read_trusted_proxies(Section& section, HttpListenerConfig& http);
void read_http_routes(const Value& value, HttpListenerConfig& http, Draft& draft);
void read_http_pool(Section& section, HttpPoolConfig& http);
void read_http_pool_timeouts(Section& section, HttpPoolConfig& http);
// An algorithm's word, or a map with least_load and what counts for it.
void read_balance(const Value& value, Balance& balance, LoadMetric& metric);
Scalar<std::string> header_name();
void read_access_log(const Value& value, std::optional<AccessLogConfig>& access_log);
void read_jwt(const Value& value, Draft& draft);
Scalar<std::string> claim_name();
Scalar<std::string> cookie_name();
Scalar<TokenSource> token_source();
// The name of a verifier that there is.
std::optional<std::string> read_verifier(const Value& value, const Draft& draft);
void read_pool(const Value& value, Draft& draft);
void read_routes(const Value& value, Protocols here, ListenerConfig& listener, Draft& draft);
// `tls: off` is absent.
std::optional<ListenerTlsConfig> read_listener_tls(const Value& value, Protocols here,
                                                   const Draft& draft);
void read_admin_tls(const Value& value, const Draft& draft, AdminConfig& admin);
std::optional<PoolTlsConfig> read_pool_tls(const Value& value, const Draft& draft);
void read_servers(const Value& value, PoolConfig& pool);
// Relative files are taken from `directory`.
void read_health_check(const Value& value, const std::filesystem::path& directory,
                       HealthCheckConfig& check);
void read_waiting(Section& section, PoolConfig& pool);
void read_sticky(const Value& value, Protocols here, const Draft& draft, PoolConfig& pool);
// `store: off` is absent.
void read_sticky_store(const Value& value, Protocols here, const Draft& draft,
                       std::optional<StickyStoreConfig>& store);
void read_outlier_detection(const Value& value, PoolConfig& pool);
// The keys that only checks of its type have.
void read_check_of_type(Section& section, const std::filesystem::path& directory,
                        HealthCheckConfig& check);

// A rate at `key`, in each of its forms; absent where it is off.
void read_rate(Section& section, std::string_view key, std::optional<Rate>& out);
// A route's `limits`; `off` is absent. `token_uses`: what goes by tokens.
void read_route_limit(const Value& value, std::optional<RequestLimit>& limit,
                      std::vector<Value>& token_uses);

inline constexpr milliseconds kLongest{365LL * 24 * 3'600'000};  // 365d
inline constexpr uint32_t kMostConnections = 10'000'000;

}  // namespace lb::config
