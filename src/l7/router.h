// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/http_config.h"
#include "l7/http_message.h"
#include "l7/request_limits.h"
#include "l7/route_clients.h"
#include "pool/frontend.h"

namespace lb {

// Finds the first of a listener's routes that fits a request. Routes lie in tables by host and
// path, so that a look-up costs the same for ten and for a thousand of them; only those that share
// both are tried one by one. Immutable; any thread.
class Router {
 public:
  explicit Router(std::vector<HttpRoute> routes);

  const std::vector<HttpRoute>& routes() const { return routes_; }
  const HttpRoute& route(size_t index) const { return routes_[index]; }
  // `head` has a normalized path; `source` is the client.
  // `is_authenticated(index)` tells whether the request has a valid token of that route.
  std::optional<size_t> find(const RequestHead& head, const Address& source,
                             const std::function<bool(size_t)>& is_authenticated = {}) const;

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <typename T>
  using ByText = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;
  using Indices = std::vector<uint32_t>;

  // The routes of one host, by path. Each list in the order of the file.
  struct Paths {
    Indices any;
    ByText<Indices> exact;
    struct OfLength {
      size_t length;
      ByText<Indices> prefixes;
    };
    std::vector<OfLength> lengths;
  };

  // Lists of routes that fit as far as host and path go.
  struct Candidates;

  void add(uint32_t index, const HttpRoute& route);
  static void add_paths(Paths& paths, uint32_t index, const HttpMatch& match);
  static void collect(const Paths& paths, std::string_view path, Candidates& candidates);
  void collect_hosts(std::string_view host, std::string_view path, Candidates& candidates) const;

  std::vector<HttpRoute> routes_;
  Paths any_host_;
  ByText<Paths> hosts_;
  ByText<Paths> wildcards_;  // by what follows the star: ".example.com"
};

// A listener's routes with the pools that they lead to, as one snapshot knows them.
struct RouteTable final : ProtocolPlan {
  std::shared_ptr<const Router> router;
  // By route and share.
  std::vector<std::vector<std::shared_ptr<const Pool>>> pools;
  // By route.
  std::vector<RouteClients> clients;
  std::shared_ptr<JwtMemory> memory;
  TokenRule expected;  // where all that go to a server are asked for the same token
  RequestLimits limits;
  // A pool tells its servers where clients came in (send_proxy_protocol).
  bool wants_local_address = false;
};

// The table for a listener's newest configuration; keeps what `before` has of it. `cookie_key`
// signs the cookies of pools that have no keys of their own.
std::shared_ptr<const RouteTable> make_route_table(const HttpListenerConfig& config,
                                                   const Pools& pools, const RouteTable* before,
                                                   const JwtVerifiers& verifiers = {},
                                                   const std::string& cookie_key = {});

// A host as routes compare it: lower case, no port, no final dot.
std::string comparable_host(std::string_view authority);

}  // namespace lb
