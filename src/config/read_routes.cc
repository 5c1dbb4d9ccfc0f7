// SPDX-License-Identifier: MIT
// The section listeners.NAME.routes.
#include <algorithm>

#include "common/log.h"
#include "config/addresses.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostWeight = 1'000'000;
constexpr size_t kLongestName = 253;
constexpr std::string_view kForHttp = "for http listeners only";

// A host name, or "*." and one, in lower case without final dot.
Result<std::string> parse_pattern(std::string_view text) {
  std::string pattern;
  for (char c : text) pattern.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
  if (pattern.ends_with('.')) pattern.pop_back();
  std::string_view name = pattern;
  if (name.starts_with("*.")) name.remove_prefix(2);
  bool is_name =
      !name.empty() && name.size() <= kLongestName && !name.starts_with('.') &&
      name.find("..") == std::string_view::npos &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
      });
  if (is_name) return pattern;
  return fail(quote(text) + " is no host name; write db.example.com or *.example.com");
}

void read_match(const Value& value, Protocols here, RouteMatch& match) {
  Section section(value);
  if (auto sni = section.find("sni")) {
    if (!here.any_of(Protocol::tcp)) {
      sni->error_at_key("does not apply: for tcp listeners only");
    } else {
      for (const Value& item : sni->one_or_more("host names")) {
        auto pattern = item.as(Scalar<std::string>{"a host name", parse_pattern});
        if (pattern) match.sni.push_back(std::move(*pattern));
      }
    }
  }
  if (auto source = section.find("source")) {
    std::vector<Cidr> networks;
    for (const Value& item : source->one_or_more("networks")) {
      if (auto cidr = item.as(network())) networks.push_back(*cidr);
    }
    match.source = CidrSet(networks);
  }
  section.does_not_apply({"host", "path", "method", "header", "query", "authenticated"}, kForHttp);
  section.reserved({"country"});
}

void refer(const Value& value, const std::string& pool, Protocols here, Draft& draft) {
  draft.pool_references.push_back({value, pool, here});
}

void read_split(const Value& value, Protocols here, Draft& draft, RouteConfig& route) {
  auto weight = whole_number(0, kMostWeight);
  bool has_share = false;
  for (const Value& share : value.entries()) {
    draft.pool_references.push_back({share, share.key(), here});
    auto parsed = share.as(weight);
    has_share |= !parsed || *parsed > 0;
    if (parsed.value_or(0) > 0) route.shares.push_back({share.key(), *parsed});
  }
  if (value.is_map() && !has_share) value.error_at_key("gives no pool a weight above 0");
}

RouteConfig read_route(const Value& value, Protocols here, Draft& draft) {
  RouteConfig route;
  Section section(value);
  if (auto match = section.find("match")) read_match(*match, here, route.match);
  auto pool = section.find("pool");
  auto split = section.find("split");
  if (pool && split) {
    split->error_at_key("stands beside 'pool'; a route has exactly one of them");
  } else if (split) {
    read_split(*split, here, draft, route);
  } else if (!pool) {
    section.require("pool", "name a pool, or several in 'split'");
  }
  if (pool) {
    if (auto name = pool->as(text(1, kMaxName))) {
      refer(*pool, *name, here, draft);
      route.shares = {{*name, 1}};
    }
  }
  section.does_not_apply({"redirect", "respond", "jwt", "claims", "rewrite", "request_headers",
                          "response_headers", "timeout"},
                         kForHttp);
  section.not_built({"balance", "sticky"});
  section.applies_only_as_off({"limits"}, kForHttp);
  section.reserved({"cache", "mirror", "cors", "compress"});
  return route;
}

// Whether every name that `pattern` stands for is one of `by`.
bool covers(const std::string& by, const std::string& pattern) {
  if (by == pattern) return true;
  return by.starts_with("*.") && pattern.ends_with(std::string_view(by).substr(1));
}

// Whether `earlier` takes all that `later` could.
bool hides(const RouteMatch& earlier, const RouteMatch& later) {
  if (earlier.source && !(later.source && *earlier.source == *later.source)) return false;
  if (earlier.sni.empty()) return true;
  return !later.sni.empty() &&
         std::all_of(later.sni.begin(), later.sni.end(), [&](const std::string& pattern) {
           return std::any_of(earlier.sni.begin(), earlier.sni.end(),
                              [&](const std::string& by) { return covers(by, pattern); });
         });
}

}  // namespace

void read_routes(const Value& value, Protocols here, ListenerConfig& listener, Draft& draft) {
  constexpr size_t kCompared = 200;  // a warning is not worth comparing thousands with each other
  for (const Value& item : value.items("routes, each {match: , pool: }")) {
    RouteConfig route = read_route(item, here, draft);
    size_t compared = std::min(listener.routes.size(), kCompared);
    for (size_t i = 0; i < compared; ++i) {
      if (!hides(listener.routes[i].match, route.match)) continue;
      item.warn(fmt::format("can never match: routes[{}] takes all of its clients", i));
      break;
    }
    listener.routes.push_back(std::move(route));
  }
}

}  // namespace lb::config
