// SPDX-License-Identifier: MIT
#include "l7/router.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lb {

namespace {

constexpr size_t kLongestHost = 255;

std::string_view without_port(std::string_view authority) {
  size_t end = authority.starts_with('[') ? authority.find(']') : 0;
  if (end == std::string_view::npos) return authority;
  authority = authority.substr(0, authority.find(':', end));
  if (authority.ends_with('.')) authority.remove_suffix(1);
  return authority;
}

std::string_view lower_into(std::string_view text, std::array<char, kLongestHost>& buffer) {
  if (text.size() > buffer.size()) return {};
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    buffer[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return {buffer.data(), text.size()};
}

bool has_header(const RequestHead& head, const NameAndValue& wanted) {
  auto fits = [&](std::string_view value) {
    return wanted.second == "*" || value == wanted.second;
  };
  FieldId id = field_id(wanted.first);
  if (id == FieldId::host) return !head.authority.empty() && fits(head.authority);
  if (id == FieldId::upgrade) {  // protocols are named without case (RFC 9110, 7.8)
    return !head.upgrade.empty() &&
           (fits(head.upgrade) || equal_nocase(head.upgrade, wanted.second));
  }
  return std::any_of(head.fields.begin(), head.fields.end(), [&](const Field& field) {
    return field.id == id && equal_nocase(field.name, wanted.first) && fits(field.value);
  });
}

bool has_query(std::string_view query, const NameAndValue& wanted) {
  if (!query.empty()) query.remove_prefix(1);
  while (!query.empty()) {
    size_t end = query.find('&');
    std::string_view one = query.substr(0, end);
    size_t equals = one.find('=');
    std::string_view value =
        equals == std::string_view::npos ? std::string_view() : one.substr(equals + 1);
    if (one.substr(0, equals) == wanted.first && (wanted.second == "*" || value == wanted.second)) {
      return true;
    }
    if (end == std::string_view::npos) return false;
    query.remove_prefix(end + 1);
  }
  return false;
}

bool fits_method(const HttpMatch& match, const RequestHead& head) {
  if (match.methods.empty()) return true;
  return std::any_of(match.methods.begin(), match.methods.end(), [&](const std::string& method) {
    return method == head.method_name || (method == "GET" && head.method == Method::head);
  });
}

// All conditions but host and path.
bool fits(const HttpMatch& match, const RequestHead& head, const Address& source) {
  if (!fits_method(match, head)) return false;
  if (match.source && !match.source->contains(source)) return false;
  return std::all_of(match.headers.begin(), match.headers.end(),
                     [&](const NameAndValue& wanted) { return has_header(head, wanted); }) &&
         std::all_of(match.queries.begin(), match.queries.end(),
                     [&](const NameAndValue& wanted) { return has_query(head.query, wanted); });
}

}  // namespace

struct Router::Candidates {
  static constexpr size_t kUsual = 8;
  struct Rest {
    const uint32_t* next;
    const uint32_t* end;
  };
  std::array<Rest, kUsual> lists;
  size_t count = 0;
  std::vector<Rest> others;  // beyond the usual number

  void add(const Indices& list) {
    if (list.empty()) return;
    Rest rest{list.data(), list.data() + list.size()};
    if (count == kUsual) return others.push_back(rest);
    lists[count++] = rest;
  }
  // The first index of all, taken out of its list.
  std::optional<uint32_t> take() {
    Rest* least = nullptr;
    auto look = [&least](Rest& list) {
      if (list.next != list.end && (least == nullptr || *list.next < *least->next)) least = &list;
    };
    std::for_each_n(lists.begin(), count, look);
    std::for_each(others.begin(), others.end(), look);
    if (least == nullptr) return {};
    return *least->next++;
  }
};

Router::Router(std::vector<HttpRoute> routes) : routes_(std::move(routes)) {
  for (size_t i = 0; i < routes_.size(); ++i) add(static_cast<uint32_t>(i), routes_[i]);
}

void Router::add(uint32_t index, const HttpRoute& route) {
  const HttpMatch& match = route.match;
  if (match.hosts.empty()) return add_paths(any_host_, index, match);
  for (const HostPattern& host : match.hosts) {
    add_paths((host.is_wildcard ? wildcards_ : hosts_)[host.name], index, match);
  }
}

void Router::add_paths(Paths& paths, uint32_t index, const HttpMatch& match) {
  if (match.paths.empty()) paths.any.push_back(index);
  for (const PathPattern& pattern : match.paths) {
    if (!pattern.is_prefix) {
      paths.exact[pattern.path].push_back(index);
      continue;
    }
    size_t length = pattern.path.size();
    auto of_length = std::find_if(paths.lengths.begin(), paths.lengths.end(),
                                  [&](const auto& one) { return one.length == length; });
    if (of_length == paths.lengths.end()) {
      paths.lengths.push_back({length, {}});
      of_length = paths.lengths.end() - 1;
    }
    of_length->prefixes[pattern.path].push_back(index);
  }
}

void Router::collect(const Paths& paths, std::string_view path, Candidates& candidates) {
  candidates.add(paths.any);
  if (!paths.exact.empty()) {
    if (auto found = paths.exact.find(path); found != paths.exact.end()) {
      candidates.add(found->second);
    }
  }
  for (const Paths::OfLength& one : paths.lengths) {
    if (path.size() < one.length) continue;
    auto found = one.prefixes.find(path.substr(0, one.length));
    if (found != one.prefixes.end()) candidates.add(found->second);
  }
}

void Router::collect_hosts(std::string_view host, std::string_view path,
                           Candidates& candidates) const {
  std::array<char, kLongestHost> buffer;
  host = lower_into(without_port(host), buffer);
  if (auto found = hosts_.find(host); found != hosts_.end()) {
    collect(found->second, path, candidates);
  }
  if (wildcards_.empty()) return;
  for (size_t dot = host.find('.'); dot != std::string_view::npos && dot > 0;
       dot = host.find('.', dot + 1)) {
    if (auto found = wildcards_.find(host.substr(dot)); found != wildcards_.end()) {
      collect(found->second, path, candidates);
    }
  }
}

std::optional<size_t> Router::find(const RequestHead& head, const Address& source,
                                   const std::function<bool(size_t)>& is_authenticated) const {
  Candidates candidates;
  collect(any_host_, head.path, candidates);
  if (!hosts_.empty() || !wildcards_.empty()) {
    collect_hosts(head.authority, head.path, candidates);
  }
  while (auto index = candidates.take()) {
    const HttpMatch& match = routes_[*index].match;
    if (!fits(match, head, source)) continue;
    if (!match.authenticated) return *index;
    bool has_token = is_authenticated && is_authenticated(*index);
    if (has_token == *match.authenticated) return *index;
  }
  return {};
}

std::shared_ptr<const RouteTable> make_route_table(const HttpListenerConfig& config,
                                                   const Pools& pools, const RouteTable* before,
                                                   const JwtVerifiers& verifiers,
                                                   const std::string& cookie_key) {
  auto table = std::make_shared<RouteTable>();
  bool same = before != nullptr && before->router->routes() == config.routes;
  table->router = same ? before->router : std::make_shared<const Router>(config.routes);
  table->memory = verifiers.memory;
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const HttpRoute& route = config.routes[i];
    auto& of_route = table->pools.emplace_back();
    for (const PoolShare& share : route.pools) {
      const auto& pool = pools.at(share.pool);
      table->wants_local_address |= pool->config().send_proxy_protocol != SendProxyProtocol::off;
      bool as_it_is = !route.balance || (*route.balance == pool->config().balance &&
                                         route.load_metric == pool->config().load_metric);
      of_route.push_back(as_it_is ? pool : pool->with_balance(*route.balance, route.load_metric));
    }
  }
  table->clients = know_clients(config.routes, table->pools, verifiers, cookie_key,
                                before != nullptr ? &before->clients : nullptr);
  table->expected = expected_token(table->clients);
  table->limits =
      make_request_limits(config, table->clients, before != nullptr ? &before->limits : nullptr,
                          before != nullptr ? &before->router->routes() : nullptr);
  return table;
}

std::string comparable_host(std::string_view authority) {
  std::array<char, kLongestHost> buffer;
  return std::string(lower_into(without_port(authority), buffer));
}

}  // namespace lb
