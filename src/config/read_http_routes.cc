// SPDX-License-Identifier: MIT
// The section listeners.NAME.routes of http listeners.
#include <algorithm>
#include <array>
#include <charconv>

#include "common/log.h"
#include "common/uri_path.h"
#include "config/addresses.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr size_t kMostText = 8 * 1024;
constexpr size_t kMostBody = 64 * 1024;
constexpr uint32_t kMostWeight = 1000;
constexpr std::string_view kForTcp = "for tcp listeners only";
constexpr std::string_view kAsksNobody = "this route asks no server";
constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
constexpr std::string_view kHostMarks = "-._";
constexpr std::string_view kIpv6Marks = "[]:";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool consists_of(std::string_view text, std::string_view marks) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || marks.find(c) != std::string_view::npos;
  });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return result;
}

Scalar<std::string> token(const std::string& what) {
  return {what, [what](std::string_view text) -> Result<std::string> {
            if (text.empty() || !consists_of(text, kTokenMarks)) {
              return fail(fmt::format("{} is no {}", quote(text), what.substr(what.find(' ') + 1)));
            }
            return std::string(text);
          }};
}

// Whether the field says how a message is framed or what its connection is to do: it is read with
// the head, and none of the request's own.
bool belongs_to_connection(std::string_view name) {
  constexpr std::array<std::string_view, 8> kFields = {"content-length", "transfer-encoding",
                                                       "connection",     "proxy-connection",
                                                       "keep-alive",     "te",
                                                       "http2-settings", "trailer"};
  return std::find(kFields.begin(), kFields.end(), lower(name)) != kFields.end();
}

Scalar<std::string> matchable_field() {
  auto parse_token = token("a header name").parse;
  return {"a header name", [parse_token](std::string_view text) -> Result<std::string> {
            if (belongs_to_connection(text)) {
              return fail(
                  fmt::format("{} belongs to the connection and cannot be matched", quote(text)));
            }
            return parse_token(text);
          }};
}

Scalar<std::string> changeable_field() {
  auto parse_token = token("a header name").parse;
  return {"a header name", [parse_token](std::string_view text) -> Result<std::string> {
            std::string name = lower(text);
            if (name == "host") return fail("'Host' is set by 'rewrite: {host: ...}'");
            if (belongs_to_connection(name) || name == "upgrade") {
              return fail(
                  fmt::format("{} belongs to the connection and cannot be changed", quote(text)));
            }
            return parse_token(text);
          }};
}

Scalar<std::string> field_value() {
  return {"text", [](std::string_view text) -> Result<std::string> {
            bool bad = std::any_of(text.begin(), text.end(), [](char c) {
              return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f;
            });
            if (bad) return fail("holds a control character");
            if (text.size() > kMostText) return fail("is longer than 8KiB");
            return std::string(text);
          }};
}

Scalar<HostPattern> host_pattern() {
  return {"a host name such as shop.example.com or *.example.com",
          [](std::string_view text) -> Result<HostPattern> {
            HostPattern host;
            host.is_wildcard = text.starts_with("*.");
            std::string_view name = text.substr(host.is_wildcard ? 1 : 0);
            if (name.ends_with('.')) name.remove_suffix(1);
            bool is_ipv6 = name.starts_with('[');
            if (!is_ipv6 && name.find(':') != std::string_view::npos) {
              return fail("is written without a port");
            }
            bool good = name.size() > (host.is_wildcard ? 1U : 0U) && name.size() <= 255 &&
                        consists_of(name, is_ipv6 ? kIpv6Marks : kHostMarks);
            if (!good) return fail(fmt::format("{} is no host name", quote(text)));
            host.name = lower(name);
            return host;
          }};
}

// As requests have it: what is no ASCII is written as %XX.
std::optional<std::string> path_of(std::string_view text) {
  std::string encoded;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return normalized_path(encoded);
}

Scalar<PathPattern> path_pattern() {
  return {"a path such as /a or /a/*", [](std::string_view text) -> Result<PathPattern> {
            PathPattern pattern;
            pattern.is_prefix = text.ends_with('*');
            if (pattern.is_prefix) text.remove_suffix(1);
            if (!text.starts_with('/')) return fail("must begin with /");
            if (text.find('*') != std::string_view::npos)
              return fail("may have a * at its end only");
            if (text.find_first_of("?# ") != std::string_view::npos) {
              return fail("is a path alone, without '?', '#' or spaces");
            }
            auto path = path_of(text);
            if (!path) return fail(fmt::format("{} is no path", quote(text)));
            pattern.path = std::move(*path);
            return pattern;
          }};
}

Scalar<std::string> prefix() {
  return {"a path such as /api", [](std::string_view text) -> Result<std::string> {
            if (!text.starts_with('/')) return fail("must begin with /");
            bool bad = std::any_of(text.begin(), text.end(),
                                   [](char c) { return c <= ' ' || c == 0x7f || c == '#'; });
            auto path = path_of(text);
            if (bad || !path || text.find('?') != std::string_view::npos) return fail("is no path");
            return std::move(*path);
          }};
}

Scalar<std::string> redirect_target() {
  return {"a target such as \"https://{host}{uri}\"",
          [](std::string_view text) -> Result<std::string> {
            if (text.empty()) return fail("must not be empty");
            auto value = field_value().parse(text);
            if (!value) return value;
            for (size_t at = text.find('{'); at != std::string_view::npos;
                 at = text.find('{', at + 1)) {
              size_t end = text.find('}', at);
              if (end == std::string_view::npos) return fail("has a '{' without its '}'");
              std::string_view name = text.substr(at + 1, end - at - 1);
              constexpr std::array<std::string_view, 6> kNames = {"scheme", "host", "port",
                                                                  "uri",    "path", "query"};
              if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
                return fail(fmt::format(
                    "{} cannot be filled in; {{scheme}}, {{host}}, {{port}}, {{uri}}, {{path}} and "
                    "{{query}} can",
                    quote(text.substr(at, name.size() + 2))));
              }
            }
            return value;
          }};
}

Scalar<std::string> pool_name() {
  return {"the name of a pool", [](std::string_view text) { return std::string(text); }};
}

template <typename T>
void read_list(Section& section, std::string_view key, std::string_view what, const Scalar<T>& one,
               std::vector<T>& out) {
  auto value = section.find(key);
  if (!value) return;
  for (const Value& item : value->one_or_more(what)) {
    if (auto parsed = item.as(one)) out.push_back(std::move(*parsed));
  }
}

void read_pairs(Section& section, std::string_view key, const Scalar<std::string>& name,
                std::vector<NameAndValue>& out) {
  auto value = section.find(key);
  if (!value) return;
  for (const Value& entry : value->entries()) {
    auto good = name.parse(entry.key());
    if (!good) {
      entry.error_at_key(good.error().message);
    } else if (auto text = entry.as(field_value())) {
      out.emplace_back(std::move(*good), std::move(*text));
    }
  }
}

void read_match(const Value& value, HttpMatch& match, std::vector<Value>& token_uses) {
  Section section(value);
  read_list(section, "host", "host names", host_pattern(), match.hosts);
  read_list(section, "path", "paths", path_pattern(), match.paths);
  read_list(section, "method", "methods", token("a method"), match.methods);
  read_pairs(section, "header", matchable_field(), match.headers);
  read_pairs(section, "query", {"a name", [](std::string_view t) { return std::string(t); }},
             match.queries);
  if (auto source = section.find("source")) {
    std::vector<Cidr> networks;
    for (const Value& item : source->one_or_more("networks")) {
      if (auto cidr = item.as(network())) networks.push_back(*cidr);
    }
    match.source = CidrSet(networks);
  }
  section.does_not_apply({"sni"}, kForTcp);
  if (auto found = section.find("authenticated")) {
    match.authenticated = found->as(boolean());
    token_uses.push_back(std::move(*found));
  }
  section.reserved({"country"});
}

void read_header_rules(Section& section, std::string_view key, HeaderRules& rules) {
  auto value = section.find(key);
  if (!value) return;
  Section map(*value);
  read_pairs(map, "set", changeable_field(), rules.set);
  read_pairs(map, "add", changeable_field(), rules.add);
  auto removed = map.find("remove");
  if (!removed || removed->is_empty_list()) return;
  for (const Value& item : removed->one_or_more("header names")) {
    if (auto name = item.as(changeable_field())) rules.remove.push_back(std::move(*name));
  }
}

void read_redirect(const Value& value, HttpRoute& route) {
  HttpRedirect redirect;
  Section section(value);
  if (auto to = section.require("to", "say where to, such as to: \"https://{host}{uri}\"")) {
    if (auto target = to->as(redirect_target())) redirect.to = std::move(*target);
  }
  section.read("status", redirect.status,
               one_of<int>({{"301", 301}, {"302", 302}, {"303", 303}, {"307", 307}, {"308", 308}}));
  route.redirect = std::move(redirect);
}

void read_respond(const Value& value, HttpRoute& route) {
  HttpRespond respond;
  Section section(value);
  section.read("status", respond.status, whole_number(200, 599));
  section.read("body", respond.body, text(0, kMostBody));
  bool has_none = respond.status == 204 || respond.status == 205 || respond.status == 304;
  if (has_none && !respond.body.empty()) {
    section.find("body")->error(fmt::format("a {} has no body", respond.status));
  }
  read_pairs(section, "headers", changeable_field(), respond.headers);
  route.respond = std::move(respond);
}

void read_split(const Value& value, HttpRoute& route, Draft& draft) {
  uint64_t all = 0;
  for (const Value& entry : value.entries()) {
    draft.pool_references.push_back({entry, entry.key(), Protocol::http, true});
    auto weight = entry.as(whole_number(0, kMostWeight));
    if (!weight) continue;
    all += *weight;
    route.pools.push_back({entry.key(), *weight});
  }
  bool is_empty = value.is_null() || (value.is_map() && value.entries().empty());
  if (is_empty || (!route.pools.empty() && all == 0)) value.error("gives no pool any weight");
}

// A name or an IP address (IPv6 in brackets), and a port behind a colon if it has one.
bool is_host_and_port(std::string_view text) {
  size_t end = text.starts_with('[') ? text.find(']') + 1 : std::min(text.find(':'), text.size());
  std::string_view host = text.substr(0, end);
  std::string_view port = text.substr(end);
  bool good = host.starts_with('[')
                  ? end > 2 && Address::parse_ip(host.substr(1, end - 2), 0)
                  : !host.empty() && host.size() <= 255 && consists_of(host, kHostMarks);
  if (!good || port.empty()) return good;
  uint32_t number = 0;
  auto parsed = std::from_chars(port.data() + 1, port.data() + port.size(), number);
  return port[0] == ':' && parsed.ec == std::errc() && parsed.ptr == port.data() + port.size() &&
         number >= 1 && number <= 65'535;
}

void read_rewrite(const Value& value, HttpRewrite& rewrite) {
  Section section(value);
  section.read("strip_prefix", rewrite.strip_prefix, prefix());
  section.read("add_prefix", rewrite.add_prefix, prefix());
  Scalar<std::string> host{"a host name, with or without a port",
                           [](std::string_view text) -> Result<std::string> {
                             if (!is_host_and_port(text)) {
                               return fail(fmt::format("{} is no host name", quote(text)));
                             }
                             return std::string(text);
                           }};
  section.read("host", rewrite.host, host);
}

// Exactly one of pool, split, redirect, respond.
void read_action(const Value& value, Section& section, HttpRoute& route, Draft& draft) {
  constexpr std::array<std::string_view, 4> kActions = {"pool", "split", "redirect", "respond"};
  std::vector<Value> found;
  for (std::string_view action : kActions) {
    if (auto one = section.find(action)) found.push_back(std::move(*one));
  }
  if (found.empty()) {
    return value.error("does nothing; it needs one of pool, split, redirect, respond");
  }
  if (found.size() > 1) {
    return found[1].error_at_key(
        fmt::format("does not go with '{}'; a route does one thing", found[0].key()));
  }
  const Value& action = found[0];
  if (action.key() == "pool") {
    auto name = action.as(pool_name());
    if (!name) return;
    draft.pool_references.push_back({action, *name, Protocol::http});
    route.pools.push_back({std::move(*name), 1});
  } else if (action.key() == "split") {
    read_split(action, route, draft);
  } else if (action.key() == "redirect") {
    read_redirect(action, route);
  } else {
    read_respond(action, route);
  }
}

void read_claims(const Value& value, std::vector<NameAndValue>& claims) {
  for (const Value& entry : value.entries()) {
    auto name = changeable_field().parse(entry.key());
    if (!name) {
      entry.error_at_key(name.error().message);
    } else if (auto claim = entry.as(claim_name())) {
      claims.emplace_back(std::move(*name), std::move(*claim));
    }
  }
}

// `uses`: what else of the route goes by tokens.
void read_tokens(Section& section, std::vector<Value> uses, HttpRoute& route, Draft& draft) {
  if (auto found = section.find("claims")) {
    read_claims(*found, route.claims);
    uses.push_back(*found);
  }
  if (auto found = section.find("jwt")) {
    if (auto name = read_verifier(*found, draft)) route.jwt = *name;
    return;
  }
  for (Value& value : uses) draft.verifier_uses.push_back({std::move(value), route});
}

HttpRoute read_route(const Value& value, Draft& draft) {
  HttpRoute route;
  Section section(value);
  if (!value.is_map()) return route;
  std::vector<Value> token_uses;
  if (auto found = section.find("match")) read_match(*found, route.match, token_uses);
  read_action(value, section, route, draft);
  if (route.redirect || route.respond) {
    section.does_not_apply({"balance", "rewrite", "request_headers", "timeout"}, kAsksNobody);
    section.applies_only_as_off({"sticky"}, kAsksNobody);
  }
  if (auto found = section.find("balance")) {
    read_balance(*found, route.balance.emplace(Balance::round_robin), route.load_metric);
  }
  if (auto found = section.find("sticky")) {
    route.is_sticky = false;
    if (!found->is_off()) found->error("must be off; how clients stick is said of the pool");
  }
  if (auto found = section.find("rewrite")) read_rewrite(*found, route.rewrite);
  read_header_rules(section, "request_headers", route.request_headers);
  read_header_rules(section, "response_headers", route.response_headers);
  section.read("timeout", route.timeout,
               or_off(duration(milliseconds(1), kLongest), milliseconds(0)));
  if (auto found = section.find("limits")) read_route_limit(*found, route.limit, token_uses);
  read_tokens(section, std::move(token_uses), route, draft);
  section.reserved({"cache", "mirror", "cors", "compress"});
  return route;
}

// ---- routes that can never match ----

bool covers(const HostPattern& a, const HostPattern& b) {
  if (!a.is_wildcard) return !b.is_wildcard && a.name == b.name;
  return b.name.ends_with(a.name) && (b.is_wildcard || b.name.size() > a.name.size());
}

bool covers(const PathPattern& a, const PathPattern& b) {
  return a.is_prefix ? b.path.starts_with(a.path) : !b.is_prefix && a.path == b.path;
}

bool covers(const std::string& a, const std::string& b) {
  return a == b || (a == "GET" && b == "HEAD");
}

// Each of b's alternatives lies within one of a's.
template <typename T>
bool all_covered(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.empty()) return true;
  return !b.empty() && std::all_of(b.begin(), b.end(), [&](const T& inner) {
    return std::any_of(a.begin(), a.end(), [&](const T& outer) { return covers(outer, inner); });
  });
}

// Each of a's conditions is one of b's too.
bool all_implied(const std::vector<NameAndValue>& a, const std::vector<NameAndValue>& b,
                 bool nocase) {
  return std::all_of(a.begin(), a.end(), [&](const NameAndValue& wanted) {
    return std::any_of(b.begin(), b.end(), [&](const NameAndValue& given) {
      bool same = nocase ? lower(given.first) == lower(wanted.first) : given.first == wanted.first;
      return same && (wanted.second == "*" || given.second == wanted.second);
    });
  });
}

bool covers(const HttpMatch& a, const HttpMatch& b) {
  return all_covered(a.hosts, b.hosts) && all_covered(a.paths, b.paths) &&
         all_covered(a.methods, b.methods) && all_implied(a.headers, b.headers, true) &&
         all_implied(a.queries, b.queries, false) && (!a.source || a.source == b.source) &&
         (!a.authenticated || a.authenticated == b.authenticated);
}

void warn_of_unreachable(const std::vector<Value>& values, const std::vector<HttpRoute>& routes) {
  for (size_t later = 1; later < routes.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      if (!covers(routes[earlier].match, routes[later].match)) continue;
      values[later].warn(
          fmt::format("can never match: routes[{}] in line {} takes every request that it would",
                      earlier, values[earlier].place().line));
      break;
    }
  }
}

}  // namespace

Scalar<std::string> header_name() {
  return token("a header name");
}

Scalar<std::string> cookie_name() {
  return token("a cookie's name");
}

void read_http_routes(const Value& value, HttpListenerConfig& http, Draft& draft) {
  std::vector<Value> values = value.items("routes");
  for (const Value& item : values) http.routes.push_back(read_route(item, draft));
  warn_of_unreachable(values, http.routes);
}

}  // namespace lb::config
