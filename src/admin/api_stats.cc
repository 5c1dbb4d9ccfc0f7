// SPDX-License-Identifier: MIT
// GET /lb/stats: the dashboard for people; for programs, and for the dashboard itself, all that it
// shows in one answer.
#include "admin/answers.h"
#include "admin/api.h"
#include "admin/dashboard.h"

namespace lb::admin {

namespace {

constexpr std::string_view kPath = "/lb/stats";

// [[begin, end, count], ...] in microseconds, without the empty buckets: what came between two of
// these has its own percentiles.
Json buckets_of(const HistogramCounts& counts) {
  Json list = Json::array();
  for (size_t i = 0; i < HistogramBuckets::kCount; ++i) {
    uint64_t count = counts.in_bucket(i);
    if (count == 0) continue;
    list.push_back({HistogramBuckets::begin(i), HistogramBuckets::begin(i + 1), count});
  }
  return list;
}

Json listeners_of(const ControlApi& control) {
  Json list = Json::array();
  for (const ListenerView& listener : control.listeners()) {
    list.push_back({{"name", listener.name},
                    {"protocol", listener.protocol},
                    {"addresses", listener.addresses},
                    {"pools", listener.pools},
                    {"activeConnections", listener.active_connections},
                    {"totalConnections", listener.total_connections},
                    {"totalRequests", listener.total_requests},
                    {"totalDatagrams", listener.datagrams_in + listener.datagrams_out},
                    {"bytesIn", listener.bytes_in},
                    {"bytesOut", listener.bytes_out},
                    {"byStatus", by_status(listener)},
                    {"times", buckets_of(listener.first_byte)}});
  }
  return list;
}

Json servers_of(const ControlApi& control) {
  Json list = Json::array();
  for (const ServerView& server : control.servers()) {
    Json json = to_json_with_figures(server);
    json["usable"] = server.is_usable;
    list.push_back(std::move(json));
  }
  return list;
}

Json algorithms_of(const ControlApi& control) {
  Json list = Json::array();
  for (const AlgorithmView& algorithm : control.algorithms()) list.push_back(algorithm.name);
  return list;
}

void get_stats(const Call& call) {
  if (is_for_page(call.request)) return call.answer.send(stats_page(200));
  ProcessView process = call.control.process();
  auto pools = call.control.pools();
  Json pool_list = Json::array();
  for (const PoolView& pool : pools) pool_list.push_back(to_json(pool));
  HttpResponse response = success({{"version", process.version},
                                   {"status", verdict(pools)},
                                   {"uptimeMs", call.control.uptime_ms()},
                                   {"activeConnections", process.connections},
                                   {"mostConnections", process.most_connections},
                                   {"changes", call.access.changes()},
                                   {"algorithms", algorithms_of(call.control)},
                                   {"listeners", listeners_of(call.control)},
                                   {"pools", std::move(pool_list)},
                                   {"servers", servers_of(call.control)}});
  response.fields.emplace_back("Vary", "Accept");
  call.answer.send(response);
}

}  // namespace

bool is_for_page(const HttpRequest& request) {
  if (request.path != kPath || (request.method != "GET" && request.method != "HEAD")) return false;
  const std::string* accept = request.field("Accept");
  return accept == nullptr || accept->find("application/json") == std::string::npos;
}

HttpResponse stats_page(int status) {
  return {.status = status,
          .fields = {{"Content-Security-Policy", std::string(dashboard_policy())},
                     {"X-Content-Type-Options", "nosniff"},
                     {"Referrer-Policy", "no-referrer"},
                     {"Cache-Control", "no-cache"},
                     {"Vary", "Accept"}},
          .content_type = "text/html; charset=utf-8",
          .body = std::string(dashboard_page())};
}

std::vector<Route> stats_routes() {
  return {{"GET", kPath, get_stats}};
}

}  // namespace lb::admin
