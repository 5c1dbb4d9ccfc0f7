// SPDX-License-Identifier: MIT
#include "l7/request_limits.h"

#include <algorithm>
#include <string_view>

#include "common/hash.h"
#include "pool/source_key.h"

namespace lb {

namespace {

// A value that looks like a source is none.
constexpr uint64_t kOfHeader = 1;
constexpr uint64_t kOfClaim = 2;

std::shared_ptr<SourceRates> table_of(const HttpRoute& route, const RequestLimits* before,
                                      const std::vector<HttpRoute>* before_routes) {
  for (size_t i = 0; before != nullptr && i < before_routes->size(); ++i) {
    const HttpRoute& other = (*before_routes)[i];
    bool same = other.limit && other.limit->by == route.limit->by &&
                other.limit->name == route.limit->name && other.match == route.match;
    if (same) return before->by_route[i].rates;
  }
  return std::make_shared<SourceRates>();
}

std::string_view value_of(const RequestHead& head, std::string_view name) {
  auto found = std::find_if(head.fields.begin(), head.fields.end(),
                            [&](const Field& field) { return equal_nocase(field.name, name); });
  return found == head.fields.end() ? std::string_view() : found->value;
}

}  // namespace

RequestLimits make_request_limits(const HttpListenerConfig& config,
                                  const std::vector<RouteClients>& clients,
                                  const RequestLimits* before,
                                  const std::vector<HttpRoute>* before_routes) {
  RequestLimits limits;
  if (const auto& rate = config.limits.request_rate_per_source) {
    limits.by_source = before != nullptr ? before->by_source : nullptr;
    if (!limits.by_source) limits.by_source = std::make_shared<SourceRates>();
    limits.by_source->set(rate);
  }
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const HttpRoute& route = config.routes[i];
    RouteLimit& limit = limits.by_route.emplace_back();
    if (!route.limit) continue;
    limit.rates = table_of(route, before, before_routes);
    limit.rates->set(route.limit->rate);
    const auto& verifier = clients[i].rule.verifier;
    if (route.limit->by == RequestLimit::By::claim && verifier) {
      limit.claim = verifier->index_of(route.limit->name).value_or(SIZE_MAX);
    }
  }
  return limits;
}

uint64_t limit_key(const RequestLimit& limit, size_t claim, const RequestHead& head,
                   const VerifiedToken* token, const Address& source) {
  switch (limit.by) {
    case RequestLimit::By::source:
      break;
    case RequestLimit::By::header: {
      std::string_view value = value_of(head, limit.name);
      if (!value.empty()) return hash64(value, kOfHeader);
      break;
    }
    case RequestLimit::By::claim:
      if (token != nullptr && !token->claim(claim).empty()) {
        return hash64(token->claim(claim), kOfClaim);
      }
      break;
  }
  return source_ip_key(source);
}

}  // namespace lb
