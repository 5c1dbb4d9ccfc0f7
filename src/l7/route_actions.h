// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/address.h"
#include "config/config.h"
#include "l7/http_message.h"

namespace lb {

// What routes and pools make of a request. Pure functions; any thread.

// Removes, sets and adds, in this order. Views of the rules go into the fields.
void apply_header_rules(const HeaderRules& rules, std::vector<Field>& fields);

// The path that a server is asked for.
std::string rewritten_path(std::string_view path, const HttpRewrite& rules);

// A redirect's target with {scheme} {host} {port} {uri} {path} {query} filled in.
std::string expand(const std::string& target, const RequestHead& head, bool is_tls);

// Which of a route's pools a client belongs to: always the same one while the shares stay.
size_t choose_share(const HttpRoute& route, const Address& source);

// The key of a hash balancer. What a request lacks (its header, its cookie) its source stands in
// for, so that such requests are spread too.
uint64_t request_key(const PoolConfig& pool, const RequestHead& head, const Address& source);

}  // namespace lb
