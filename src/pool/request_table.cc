// SPDX-License-Identifier: MIT
#include "pool/request_table.h"

namespace lb {

namespace {

const std::string kOther = "other";

}  // namespace

RequestTable::Route& RequestTable::route(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto found = routes_.find(name);
  if (found != routes_.end()) return found->second;
  const std::string& kept = routes_.size() < kMostRoutes ? name : kOther;
  Route& made = routes_[kept];
  made.name = kept;
  return made;
}

RequestTable::Series& RequestTable::series(const std::string& route, const std::string& pool,
                                           const std::string& server, int status) {
  std::lock_guard lock(mutex_);
  Sum::Key key{route, pool, server, status};
  if (series_.size() >= kMostSeries && !series_.contains(key)) key = {kOther, "", "", status};
  Series& series = series_[key];
  std::tie(series.route, series.pool, series.server, series.status) = key;
  return series;
}

void RequestTable::add_to(Sum& sum) const {
  std::lock_guard lock(mutex_);
  for (const auto& [key, series] : series_) sum.requests[key] += series.requests.read();
  for (const auto& [name, route] : routes_) route.latency.add_to(sum.latency[route.name]);
}

}  // namespace lb
