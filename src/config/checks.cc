// SPDX-License-Identifier: MIT
#include "config/checks.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "common/log.h"
#include "config/suggest.h"

namespace lb::config {

namespace {

constexpr size_t kListedPools = 8;
constexpr size_t kComparedPools = 100;  // a suggestion is not worth comparing all with all

std::string no_such_pool(const std::string& name, const std::vector<Value>& pools) {
  std::vector<std::string_view> names;
  size_t compared = std::min(pools.size(), kComparedPools);
  names.reserve(compared);
  for (size_t i = 0; i < compared; ++i) names.push_back(pools[i].key());
  std::string message = fmt::format("there is no pool {}", quote(name));
  std::string_view meant = closest(name, names);
  if (!meant.empty()) return message + fmt::format("; did you mean {}?", quote(meant));
  if (names.size() > kListedPools) return message;
  return message + fmt::format("; the pools are {}", fmt::join(names, ", "));
}

// The claims to one TCP port, or to one unix path under port 0.
class PortClaims {
 public:
  using Claim = Draft::ListenClaim;

  // The earlier claim that `claim` conflicts with, else null, and `claim` stands from now on.
  const Claim* add(const Claim& claim) {
    bool v4 = claim.address.dual_stack || claim.address.address.is_ipv4();
    bool v6 = claim.address.dual_stack || claim.address.address.is_ipv6();
    const Claim* earlier = nullptr;
    if (v4) earlier = ipv4_.find(claim);
    if (v6 && earlier == nullptr) earlier = ipv6_.find(claim);
    if (earlier != nullptr) return earlier;
    if (v4) ipv4_.add(claim);
    if (v6) ipv6_.add(claim);
    return nullptr;
  }

 private:
  struct Family {
    const Claim* wildcard = nullptr;
    const Claim* first = nullptr;
    std::unordered_map<std::string, const Claim*> addresses;

    const Claim* find(const Claim& claim) const {
      if (wildcard != nullptr) return wildcard;
      if (claim.address.address.is_wildcard()) return first;
      auto found = addresses.find(std::string(claim.address.address.bytes()));
      return found == addresses.end() ? nullptr : found->second;
    }

    void add(const Claim& claim) {
      if (claim.address.address.is_wildcard()) wildcard = &claim;
      if (first == nullptr) first = &claim;
      addresses.emplace(claim.address.address.bytes(), &claim);
    }
  };

  Family ipv4_;
  Family ipv6_;
};

void report_conflict(const Draft::ListenClaim& claim, const Draft::ListenClaim& earlier) {
  claim.value.error(fmt::format(
      "{} is taken by {} of listener {} in line {}; an address belongs to one listener, and a "
      "wildcard takes every address of its port",
      claim.address.text, earlier.address.text, quote(earlier.listener),
      earlier.value.place().line));
}

// The route's own, else its pool's, else the only one that there is.
std::string verifier_of(const HttpRoute& route, const Config& config) {
  if (!route.jwt.empty()) return route.jwt;
  for (const PoolShare& share : route.pools) {
    auto pool = config.pools.find(share.pool);
    if (pool == config.pools.end() || !pool->second.sticky) continue;
    if (pool->second.sticky->by == StickyBy::jwt) return pool->second.sticky->jwt;
  }
  return config.jwt.size() == 1 ? config.jwt.begin()->first : std::string();
}

bool may_share_host(const HttpRoute& a, const HttpRoute& b) {
  const auto& hosts = a.match.hosts;
  if (hosts.empty() || b.match.hosts.empty()) return true;
  return std::any_of(hosts.begin(), hosts.end(), [&](const HostPattern& host) {
    return host.is_wildcard ||
           std::any_of(b.match.hosts.begin(), b.match.hosts.end(), [&](const HostPattern& other) {
             return other.is_wildcard || other.name == host.name;
           });
  });
}

void warn_of_cookie(const Draft& draft, const PoolConfig& pool, const PoolConfig& other) {
  for (const Value& value : draft.pools) {
    if (value.key() != pool.name) continue;
    value.warn_at_key(
        fmt::format("gives clients a cookie of the same name as pool {}, {}, whose place it takes; "
                    "name one of them otherwise (sticky.name)",
                    quote(other.name), quote(pool.sticky->cookie)));
  }
}

}  // namespace

void choose_verifiers(Draft& draft) {
  for (const auto& [value, route] : draft.verifier_uses) {
    if (!verifier_of(route, draft.config).empty()) continue;
    value.error_at_key(draft.jwt_names.empty()
                           ? "needs a verifier of tokens, and there is no section jwt"
                           : "needs a verifier of tokens; name one of them with jwt");
  }
  for (auto& [name, listener] : draft.config.listeners) {
    for (HttpRoute& route : listener.http.routes) {
      bool counts_by_claim = route.limit && route.limit->by == RequestLimit::By::claim;
      bool asks = route.match.authenticated || !route.claims.empty() || !route.jwt.empty() ||
                  counts_by_claim;
      if (asks) route.verifier = verifier_of(route, draft.config);
    }
  }
}

void check_cookies(const Draft& draft) {
  std::unordered_set<std::string> told;
  for (const auto& [name, listener] : draft.config.listeners) {
    std::vector<std::pair<const HttpRoute*, const PoolConfig*>> givers;
    for (const HttpRoute& route : listener.http.routes) {
      for (const PoolShare& share : route.pools) {
        auto pool = draft.config.pools.find(share.pool);
        if (pool == draft.config.pools.end() || !pool->second.sticky) continue;
        if (pool->second.sticky->gives_cookies()) givers.emplace_back(&route, &pool->second);
      }
    }
    for (size_t i = 1; i < givers.size(); ++i) {
      auto& [route, pool] = givers[i];
      for (size_t j = 0; j < i; ++j) {
        auto& [other_route, other] = givers[j];
        bool same = pool != other && pool->sticky->cookie == other->sticky->cookie &&
                    may_share_host(*route, *other_route);
        if (same && told.insert(pool->name).second) warn_of_cookie(draft, *pool, *other);
      }
    }
  }
}

void check_references(const Draft& draft) {
  if (draft.pools.empty()) return;  // missing altogether, which was said
  std::unordered_set<std::string> names;
  for (const Value& pool : draft.pools) names.insert(pool.key());
  std::unordered_set<std::string> used;
  for (const auto& [value, pool, protocols, at_key] : draft.pool_references) {
    used.insert(pool);
    if (names.contains(pool)) continue;
    std::string message = no_such_pool(pool, draft.pools);
    if (at_key) {
      value.error_at_key(std::move(message));
    } else {
      value.error(std::move(message));
    }
  }
  for (const Value& pool : draft.pools) {
    if (!used.contains(pool.key())) pool.warn_at_key("no listener uses this pool");
  }
}

void check_listen_addresses(const Draft& draft) {
  std::unordered_map<uint32_t, PortClaims> ports;  // those of udp above 65,535
  std::unordered_map<std::string, const Draft::ListenClaim*> paths;
  for (const Draft::ListenClaim& claim : draft.listen_claims) {
    const Address& address = claim.address.address;
    const Draft::ListenClaim* earlier = nullptr;
    if (address.is_unix()) {
      auto path = std::filesystem::path(address.unix_path()).lexically_normal().native();
      earlier = paths.emplace(path, &claim).first->second;
      if (earlier == &claim) earlier = nullptr;
    } else {
      earlier = ports[address.port() + (claim.datagrams ? 65'536U : 0U)].add(claim);
    }
    if (earlier != nullptr) report_conflict(claim, *earlier);
  }
}

}  // namespace lb::config
