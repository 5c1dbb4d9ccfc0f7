// SPDX-License-Identifier: MIT
#include "l4/tcp_router.h"

#include <algorithm>
#include <utility>

namespace lb {

namespace {

const std::string* choose(const std::vector<RouteShare>& shares, uint64_t client_key) {
  uint64_t sum = 0;
  for (const RouteShare& share : shares) sum += share.weight;
  uint64_t at = client_key % sum;
  for (const RouteShare& share : shares) {
    if (at < share.weight) return &share.pool;
    at -= share.weight;
  }
  return nullptr;
}

}  // namespace

TcpRouter::TcpRouter(std::shared_ptr<const ListenerConfig> listener)
    : listener_(std::move(listener)) {
  for (uint32_t i = 0; i < listener_->routes.size(); ++i) {
    const RouteMatch& match = listener_->routes[i].match;
    if (match.sni.empty()) without_name_.push_back(i);
    for (const std::string& pattern : match.sni) {
      Indices& indices = by_name_[pattern.starts_with('*') ? pattern.substr(1) : pattern];
      if (indices.empty() || indices.back() != i) indices.push_back(i);
    }
  }
}

const std::string* TcpRouter::find(std::string_view server_name, const Address& client,
                                   uint64_t client_key) const {
  const auto& routes = listener_->routes;
  uint32_t best = static_cast<uint32_t>(routes.size());
  auto consider = [&](const Indices& indices) {
    for (uint32_t i : indices) {
      if (i >= best) return;
      const auto& source = routes[i].match.source;
      if (source && !source->contains(client)) continue;
      best = i;
    }
  };
  consider(without_name_);
  // The name itself, then what is behind each of its dots, the dot included.
  for (size_t at = 0; needs_name() && !server_name.empty() && at != std::string_view::npos;
       at = server_name.find('.', at + 1)) {
    auto found = by_name_.find(std::string(server_name.substr(at)));
    bool is_whole = at == 0;
    if (found != by_name_.end() && is_whole == (found->first.front() != '.')) {
      consider(found->second);
    }
  }
  return best == routes.size() ? nullptr : choose(routes[best].shares, client_key);
}

}  // namespace lb
