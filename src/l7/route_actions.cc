// SPDX-License-Identifier: MIT
#include "l7/route_actions.h"

#include <algorithm>

#include "common/hash.h"
#include "l7/cookies.h"
#include "l7/router.h"
#include "pool/source_key.h"

namespace lb {

namespace {

void remove(std::vector<Field>& fields, std::string_view name) {
  std::erase_if(fields, [&](const Field& field) { return equal_nocase(field.name, name); });
}

// Of a host and a port, which may be empty or not there.
std::string_view host_of(std::string_view authority) {
  size_t colon = authority.rfind(':');
  bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return has_port ? authority.substr(0, colon) : authority;
}

std::string_view port_of(std::string_view authority) {
  std::string_view rest = authority.substr(host_of(authority).size());
  return rest.empty() ? rest : rest.substr(1);
}

std::string_view header(const RequestHead& head, std::string_view name) {
  for (const Field& field : head.fields) {
    if (equal_nocase(field.name, name)) return field.value;
  }
  return {};
}

char folded(char c) {
  if (c == '_') return '-';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

}  // namespace

void remove_alike(std::vector<Field>& fields, std::string_view name) {
  std::erase_if(fields, [&](const Field& field) {
    return std::equal(field.name.begin(), field.name.end(), name.begin(), name.end(),
                      [](char a, char b) { return folded(a) == folded(b); });
  });
}

void apply_header_rules(const HeaderRules& rules, std::vector<Field>& fields) {
  for (const std::string& name : rules.remove) remove(fields, name);
  for (const auto& [name, value] : rules.set) {
    remove(fields, name);
    fields.push_back({name, value, field_id(name)});
  }
  for (const auto& [name, value] : rules.add) fields.push_back({name, value, field_id(name)});
}

bool needs_token(const HttpRoute& route) {
  bool sends_away = route.pools.empty() && route.match.authenticated == false;
  return !route.jwt.empty() && !sends_away;
}

std::string rewritten_path(std::string_view path, const HttpRewrite& rules) {
  std::string_view prefix = rules.strip_prefix;
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  // Of whole segments: /api takes nothing off /apis.
  bool strips =
      path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
  if (strips) path.remove_prefix(prefix.size());
  std::string result = rules.add_prefix;
  if (result.ends_with('/')) result.pop_back();
  return result.append(path.empty() ? "/" : path);
}

std::string expand(const std::string& target, const RequestHead& head, bool is_tls) {
  std::string result;
  std::string_view rest = target;
  while (!rest.empty()) {
    size_t open = rest.find('{');
    result.append(rest.substr(0, open));
    if (open == std::string_view::npos) break;
    rest.remove_prefix(open);
    size_t close = rest.find('}');
    std::string_view name = rest.substr(0, close == std::string_view::npos ? 0 : close + 1);
    if (name == "{scheme}") {
      result.append(is_tls ? "https" : "http");
    } else if (name == "{host}") {
      result.append(host_of(head.authority));
    } else if (name == "{port}") {
      std::string_view port = port_of(head.authority);
      result.append(!port.empty() ? port : std::string_view(is_tls ? "443" : "80"));
    } else if (name == "{uri}") {
      result.append(head.path).append(head.query);
    } else if (name == "{path}") {
      result.append(head.path);
    } else if (name == "{query}") {
      result.append(head.query.empty() ? head.query : head.query.substr(1));
    } else {
      name = rest.substr(0, 1);
      result.append(name);
    }
    rest.remove_prefix(name.size());
  }
  return result;
}

size_t choose_share(const HttpRoute& route, const Address& source) {
  if (route.pools.size() < 2) return 0;
  uint64_t all = 0;
  for (const PoolShare& share : route.pools) all += share.weight;
  if (all == 0) return 0;
  // Mixed once more: the pools' own hash balancers use the key as it is.
  uint64_t at = mix64(source_ip_key(source) ^ 0x73706c6974) % all;
  for (size_t i = 0; i < route.pools.size(); ++i) {
    if (at < route.pools[i].weight) return i;
    at -= route.pools[i].weight;
  }
  return 0;
}

uint64_t request_key(const PoolConfig& pool, const RequestHead& head, const AskedFor& asked,
                     const Address& source) {
  if (pool.balance != Balance::hash) return source_ip_key(source);
  std::string_view text;
  switch (pool.hash_on) {
    case HashOn::source_ip:
      return source_ip_key(source);
    case HashOn::source_ip_port:
      return source_ip_port_key(source);
    case HashOn::uri:
      return hash64(head.query, hash64(asked.path));
    case HashOn::host:
      return hash64(comparable_host(asked.host));
    case HashOn::header:
      text = header(head, pool.hash_name);
      break;
    case HashOn::cookie:
      text = first_cookie(head, pool.hash_name);
      break;
    case HashOn::sni:
      return asked.server_name.empty() ? source_ip_key(source) : server_name_key(asked.server_name);
  }
  return text.empty() ? source_ip_key(source) : hash64(text);
}

}  // namespace lb
