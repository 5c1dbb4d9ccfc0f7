// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "config/config.h"
#include "l7/http_message.h"

namespace lb {

// What routes and pools make of a request. Pure functions; any thread.

// Removes, sets and adds, in this order. Views of the rules go into the fields.
void apply_header_rules(const HeaderRules& rules, std::vector<Field>& fields);

// Removes a field however it is spelled: servers may take "X_User" for "X-User".
void remove_alike(std::vector<Field>& fields, std::string_view name);

// Whether the route is for clients with a valid token only. Where it sends away those who have none
// `jwt` says whose tokens are meant.
bool needs_token(const HttpRoute& route);

// The path that a server is asked for.
std::string rewritten_path(std::string_view path, const HttpRewrite& rules);

// A redirect's target with {scheme} {host} {port} {uri} {path} {query} filled in.
std::string expand(const std::string& target, const RequestHead& head, bool is_tls);

// Which of a route's pools a client belongs to: always the same one while the shares stay.
size_t choose_share(const HttpRoute& route, const Address& source);

// What a client asked for, whatever a route makes of it.
struct AskedFor {
  std::string_view host;
  std::string_view path;
  std::string_view server_name;  // by TLS; "" = none
};

// The key of a hash balancer. What a request lacks (its header, its cookie) its source stands in
// for, so that such requests are spread too.
uint64_t request_key(const PoolConfig& pool, const RequestHead& head, const AskedFor& asked,
                     const Address& source);

}  // namespace lb
