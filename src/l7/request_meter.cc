// SPDX-License-Identifier: MIT
#include "l7/request_meter.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/hash.h"
#include "common/log.h"
#include "pool/server.h"

namespace lb {

namespace {

std::string name_of(const HttpMatch& match) {
  std::string name;
  if (!match.hosts.empty()) {
    const HostPattern& host = match.hosts.front();
    name = (host.is_wildcard ? "*" : "") + host.name;
  }
  if (!match.paths.empty()) {
    const PathPattern& path = match.paths.front();
    name += path.path + (path.is_prefix ? "*" : "");
  }
  return name.empty() ? "*" : name;
}

}  // namespace

std::vector<std::string> names_of(const std::vector<HttpRoute>& routes) {
  std::vector<std::string> names;
  std::map<std::string, int> seen;
  for (const HttpRoute& route : routes) {
    std::string name = name_of(route.match);
    int number = ++seen[name];
    names.push_back(number == 1 ? name : fmt::format("{} #{}", name, number));
  }
  return names;
}

size_t RequestMeter::KeyHash::operator()(const Key& key) const {
  return mix64(reinterpret_cast<uintptr_t>(key.server) ^ (key.route << 10) ^
               static_cast<size_t>(key.status));
}

void RequestMeter::begin(std::shared_ptr<const Router> router) {
  series_.clear();
  if (router == router_) return;
  router_ = std::move(router);
  latency_.assign(router_->routes().size(), nullptr);
  names_ = names_of(router_->routes());
}

RequestTable::Series& RequestMeter::find(const ExchangeRecord& record) {
  std::string pool = record.server ? record.server->pool() : "";
  std::string server = record.server ? record.server->name() : "";
  if (record.router == nullptr) return cell_.by_route.series("", pool, server, record.status);
  if (record.router != router_.get()) {  // it began under other routes
    std::string name = names_of(record.router->routes())[record.route];
    return cell_.by_route.series(name, pool, server, record.status);
  }
  return cell_.by_route.series(names_[record.route], pool, server, record.status);
}

void RequestMeter::note_latency(const ExchangeRecord& record, uint64_t us) {
  if (record.router == nullptr || record.router != router_.get()) return;
  RequestTable::Route*& route = latency_[record.route];
  if (route == nullptr) route = &cell_.by_route.route(names_[record.route]);
  route->latency.record(us);
}

void RequestMeter::count(const ExchangeRecord& record) {
  bool is_of_now = record.router != nullptr && record.router == router_.get();
  RequestTable::Series* series = nullptr;
  if (is_of_now) {
    RequestTable::Series*& known = series_[{record.route, record.server, record.status}];
    if (known == nullptr) known = &find(record);
    series = known;
  } else {
    series = &find(record);
  }
  series->requests.add();
  if (record.total_us < 0) return;
  auto at_least_0 = [](int64_t us) { return static_cast<uint64_t>(std::max<int64_t>(0, us)); };
  auto total_us = static_cast<uint64_t>(record.total_us);
  cell_.duration.record(total_us);
  note_latency(record, total_us);
  if (record.connected_us >= 0 && !record.reused) {
    cell_.connect.record(at_least_0(record.connected_us));
  }
  if (record.responded_us >= 0) cell_.first_byte.record(at_least_0(record.responded_us));
}

}  // namespace lb
