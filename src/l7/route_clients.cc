// SPDX-License-Identifier: MIT
#include "l7/route_clients.h"

#include <algorithm>
#include <map>

namespace lb {

namespace {

using Sources = std::map<std::string, std::vector<TokenSource>>;

void add_source(std::vector<TokenSource>& sources, const TokenSource& source) {
  if (std::find(sources.begin(), sources.end(), source) == sources.end()) sources.push_back(source);
}

// Where a listener's pools find the tokens of each verifier: the same clients come by routes that
// lead elsewhere. A bearer's token is looked for there too.
Sources sources_of(const PoolsOfRoutes& pools) {
  Sources sources;
  for (const auto& of_route : pools) {
    for (const auto& pool : of_route) {
      const auto& sticky = pool->config().sticky;
      if (!sticky || sticky->by != StickyBy::jwt) continue;
      add_source(sources[sticky->jwt], TokenSource{});
      add_source(sources[sticky->jwt], sticky->from);
    }
  }
  return sources;
}

using Cookies = std::vector<std::shared_ptr<const StickyCookies>>;

// Those of the pool, which several routes may lead to, with what was made so far.
std::shared_ptr<const StickyCookies> cookies_of(const Pool& pool, const std::string& cookie_key,
                                                Cookies& known) {
  const auto& sticky = pool.config().sticky;
  if (!sticky || !sticky->gives_cookies()) return nullptr;
  std::vector<std::string> keys = sticky->secrets;
  if (keys.empty()) keys.push_back(cookie_key);
  for (const auto& cookies : known) {
    if (cookies->is_of(pool.config(), pool.members(), keys)) return cookies;
  }
  known.push_back(std::make_shared<const StickyCookies>(pool.config(), pool.members(), keys));
  return known.back();
}

Cookies cookies_of(const std::vector<RouteClients>* clients) {
  Cookies known;
  if (clients == nullptr) return known;
  for (const RouteClients& of_route : *clients) {
    for (const auto& of_pool : of_route.pools) {
      bool is_new =
          of_pool.cookies && std::find(known.begin(), known.end(), of_pool.cookies) == known.end();
      if (is_new) known.push_back(of_pool.cookies);
    }
  }
  return known;
}

}  // namespace

std::vector<RouteClients> know_clients(const std::vector<HttpRoute>& routes,
                                       const PoolsOfRoutes& pools, const JwtVerifiers& verifiers,
                                       const std::string& cookie_key,
                                       const std::vector<RouteClients>* before) {
  auto by_name = [&](const std::string& name) {
    auto found = verifiers.by_name.find(name);
    return found == verifiers.by_name.end() ? nullptr : found->second;
  };
  Sources sources = sources_of(pools);
  Cookies cookies = cookies_of(before);
  std::vector<RouteClients> all;
  for (size_t i = 0; i < routes.size(); ++i) {
    const HttpRoute& route = routes[i];
    RouteClients& clients = all.emplace_back();
    clients.rule.verifier = by_name(route.verifier);
    for (const auto& pool : pools[i]) {
      RouteClients::OfPool& of_pool = clients.pools.emplace_back();
      of_pool.cookies = cookies_of(*pool, cookie_key, cookies);
      const auto& sticky = pool->config().sticky;
      if (!sticky || sticky->by != StickyBy::jwt) continue;
      if (route.is_sticky) of_pool.token = {by_name(sticky->jwt), {sticky->from}};
      if (of_pool.token.verifier) {
        of_pool.claim = of_pool.token.verifier->index_of(sticky->claim).value_or(0);
      }
      if (route.verifier == sticky->jwt) add_source(clients.rule.from, sticky->from);
    }
    if (!clients.rule.from.empty()) continue;
    auto found = sources.find(route.verifier);
    clients.rule.from =
        found == sources.end() ? std::vector<TokenSource>{TokenSource{}} : found->second;
  }
  return all;
}

TokenRule expected_token(const std::vector<RouteClients>& clients) {
  TokenRule expected;
  auto is_the_one = [&expected](const TokenRule& rule) {
    if (!rule.verifier) return false;
    if (!expected.verifier) expected = {rule.verifier, {rule.from.front()}};
    return rule.verifier == expected.verifier && rule.from.front() == expected.from.front();
  };
  for (const RouteClients& route : clients) {
    bool all_ask = is_the_one(route.rule) ||
                   std::all_of(route.pools.begin(), route.pools.end(),
                               [&](const auto& pool) { return is_the_one(pool.token); });
    if (!all_ask) return {};
  }
  return expected;
}

}  // namespace lb
