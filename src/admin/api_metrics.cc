// SPDX-License-Identifier: MIT
// /api/metrics and /metrics: figures, for programs of all kinds and for Prometheus.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "admin/answers.h"
#include "admin/api.h"
#include "admin/prometheus.h"
#include "common/log.h"

namespace lb::admin {

namespace {

using Type = PrometheusText::Type;

// "7d 12h 30m"
std::string uptime_text(int64_t ms) {
  int64_t minutes = ms / 60'000;
  return fmt::format("{}d {}h {}m", minutes / 60 / 24, minutes / 60 % 24, minutes % 60);
}

std::optional<double> quantile_ms(const HistogramCounts& counts, double share) {
  auto us = counts.quantile_us(share);
  return us ? std::optional(*us / 1000) : std::nullopt;
}

Json percentiles(const HistogramCounts& counts) {
  return {{"p50", number_or_null(quantile_ms(counts, 0.5))},
          {"p90", number_or_null(quantile_ms(counts, 0.9))},
          {"p99", number_or_null(quantile_ms(counts, 0.99))}};
}

void get_metrics(const Call& call) {
  ProcessView process = call.control.process();
  auto servers = call.control.servers();
  auto pools = call.control.pools();
  uint64_t requests = 0;
  uint64_t active = 0;
  Json listeners = Json::object();
  for (const ListenerView& listener : call.control.listeners()) {
    requests += listener.total_requests;
    active += listener.active_connections;
    listeners[listener.name] = {{"totalConnections", listener.total_connections},
                                {"activeConnections", listener.active_connections},
                                {"totalRequests", listener.total_requests},
                                {"totalDatagrams", listener.datagrams_in + listener.datagrams_out},
                                {"bytesIn", listener.bytes_in},
                                {"bytesOut", listener.bytes_out}};
  }
  auto usable = std::count_if(servers.begin(), servers.end(),
                              [](const ServerView& server) { return server.is_usable; });
  auto unhealthy = std::count_if(servers.begin(), servers.end(), [](const ServerView& server) {
    return server.status == "unhealthy" || server.status == "ejected";
  });
  call.answer.send(success({{"totalRequests", requests},
                            {"requestsPerSecond", number_or_null(process.requests_per_second)},
                            {"averageResponseTime", number_or_null(process.response_ms)},
                            {"activeConnections", active},
                            {"activeServers", usable},
                            {"unhealthyServers", unhealthy},
                            {"algorithm", pools.size() == 1 ? pools[0].algorithm : "mixed"},
                            {"uptime", uptime_text(call.control.uptime_ms())},
                            {"uptimeMs", call.control.uptime_ms()},
                            {"listeners", std::move(listeners)}}));
}

void get_server_metrics(const Call& call) {
  Json list = Json::array();
  for (const ServerView& server : call.control.servers()) {
    list.push_back(to_json_with_figures(server));
  }
  call.answer.send(success(list));
}

// How often there was a status of each class: {"2xx": 3}.
class Statuses {
 public:
  void add(int status, uint64_t count) {
    if (status > 0) counts_[fmt::format("{}xx", status / 100)] += count;
    all_ += count;
  }
  uint64_t all() const { return all_; }
  Json to_json() const {
    Json json = Json::object();
    for (const auto& [name, count] : counts_) json[name] = count;
    return json;
  }

 private:
  std::map<std::string, uint64_t> counts_;
  uint64_t all_ = 0;
};

void get_request_metrics(const Call& call) {
  Json listeners = Json::object();
  Json routes = Json::object();
  for (const ListenerView& listener : call.control.listeners()) {
    std::map<std::string, Statuses> by_route;
    for (const auto& requests : listener.requests) {
      by_route[requests.route].add(requests.status, requests.count);
    }
    listeners[listener.name] = {{"total", listener.total_requests},
                                {"byStatus", by_status(listener)},
                                {"latency", percentiles(listener.first_byte)}};
    for (const auto& [name, latency] : listener.routes) {
      const Statuses& of_route = by_route[name];
      routes[listener.name + "/" + name] = {{"total", of_route.all()},
                                            {"byStatus", of_route.to_json()},
                                            {"latency", percentiles(latency)}};
    }
  }
  call.answer.send(success({{"listeners", std::move(listeners)}, {"routes", std::move(routes)}}));
}

void write_process(const ControlApi& control, PrometheusText& out) {
  ProcessView process = control.process();
  out.family("lb_build_info", Type::gauge, "The version that runs, as a label of a constant 1.");
  out.sample({{"version", process.version}}, uint64_t{1});
  out.family("lb_uptime_seconds", Type::gauge, "For how long lb has been running.");
  out.sample({}, static_cast<double>(control.uptime_ms()) / 1000);
  out.family("lb_workers", Type::gauge, "Threads that relay.");
  out.sample({}, uint64_t{process.workers});
  out.family("lb_process_connections", Type::gauge, "Open client connections of all listeners.");
  out.sample({}, uint64_t{process.connections});
  out.family("lb_process_connections_limit", Type::gauge, "How many there may be.");
  out.sample({}, uint64_t{process.most_connections});
  out.family("lb_reloads_total", Type::counter, "Configurations taken up or refused since start.");
  out.sample({{"result", "success"}}, process.reloads);
  out.sample({{"result", "failure"}}, process.failed_reloads);
  out.family("lb_log_lines_lost_total", Type::counter, "Log lines lost to a slow output.");
  out.sample({}, process.log_lines_lost);
  out.family("lb_trace_spans_lost_total", Type::counter,
             "Spans that found no room, or that the collector refused.");
  out.sample({}, process.spans_lost);
  if (!process.tokens.empty()) {
    out.family("lb_tokens_checked_total", Type::counter,
               "JSON Web Tokens that were checked, each once as long as it is remembered.");
  }
  for (const auto& [verifier, results] : process.tokens) {
    for (const auto& [result, count] : results) {
      out.sample({{"jwt", verifier}, {"result", result}}, count);
    }
  }
  out.family("process_start_time_seconds", Type::gauge, "Start of the process, as Unix time.");
  out.sample({}, static_cast<double>(process.started_at) / 1000);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  out.family("process_cpu_seconds_total", Type::counter, "CPU time used, user and system.");
  out.sample({}, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  uint64_t pages = 0;
  uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  out.family("process_resident_memory_bytes", Type::gauge, "Memory in use.");
  out.sample({}, resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

void write_listeners(const std::vector<ListenerView>& listeners, PrometheusText& out) {
  auto counter = [&](std::string_view name, std::string_view help, auto member) {
    out.family(name, Type::counter, help);
    for (const ListenerView& one : listeners) out.sample({{"listener", one.name}}, one.*member);
  };
  auto histogram = [&](std::string_view name, std::string_view help, auto member) {
    out.family(name, Type::histogram, help);
    for (const ListenerView& one : listeners) out.sample({{"listener", one.name}}, one.*member);
  };
  counter("lb_connections_total", "Client connections accepted.", &ListenerView::total_connections);
  out.family("lb_connections", Type::gauge, "Open client connections.");
  for (const ListenerView& one : listeners) {
    out.sample({{"listener", one.name}}, uint64_t{one.active_connections});
  }
  out.family("lb_connections_ended_total", Type::counter, "Client connections ended, by reason.");
  for (const ListenerView& one : listeners) {
    for (const auto& [reason, count] : one.ended) {
      out.sample({{"listener", one.name}, {"reason", reason}}, count);
    }
  }
  counter("lb_requests_total", "Requests; of tcp, connections that got a server.",
          &ListenerView::total_requests);
  out.family("lb_http_requests_total", Type::counter,
             "HTTP requests by their end; code 0 where the client was gone.");
  for (const ListenerView& one : listeners) {
    for (const auto& requests : one.requests) {
      out.sample({{"listener", one.name},
                  {"route", requests.route},
                  {"pool", requests.pool},
                  {"server", requests.server},
                  {"code", std::to_string(requests.status)}},
                 requests.count);
    }
  }
  out.family("lb_datagrams_total", Type::counter,
             "Datagrams from clients to servers (in) and back (out).");
  for (const ListenerView& one : listeners) {
    out.sample({{"listener", one.name}, {"direction", "in"}}, one.datagrams_in);
    out.sample({{"listener", one.name}, {"direction", "out"}}, one.datagrams_out);
  }
  out.family("lb_datagrams_dropped_total", Type::counter,
             "Datagrams of clients dropped, by reason.");
  for (const ListenerView& one : listeners) {
    for (const auto& [reason, count] : one.dropped) {
      out.sample({{"listener", one.name}, {"reason", reason}}, count);
    }
  }
  out.family("lb_bytes_total", Type::counter, "Bytes from clients (in) and to them (out).");
  for (const ListenerView& one : listeners) {
    out.sample({{"listener", one.name}, {"direction", "in"}}, one.bytes_in);
    out.sample({{"listener", one.name}, {"direction", "out"}}, one.bytes_out);
  }
  histogram("lb_connect_duration_seconds", "Time that connects to servers took.",
            &ListenerView::connect);
  histogram("lb_first_byte_duration_seconds",
            "Time from the begin of a request, connect included, to the first byte of its answer.",
            &ListenerView::first_byte);
  histogram("lb_duration_seconds", "Time from the begin of a connection or request to its end.",
            &ListenerView::duration);
}

void write_pools(const std::vector<PoolView>& pools, PrometheusText& out) {
  out.family("lb_pool_servers", Type::gauge, "Servers of the pool.");
  for (const PoolView& pool : pools) out.sample({{"pool", pool.name}}, uint64_t{pool.servers});
  out.family("lb_pool_servers_usable", Type::gauge, "Servers that may get new clients.");
  for (const PoolView& pool : pools) {
    out.sample({{"pool", pool.name}}, uint64_t{pool.usable_servers});
  }
}

// A series belongs to one server: of those that share a name, because it was given to another
// address, to the one that is not on its way out, which comes first.
std::vector<ServerView> one_of_each_name(std::vector<ServerView> servers) {
  std::set<std::pair<std::string, std::string>> seen;
  std::erase_if(servers,
                [&](const ServerView& one) { return !seen.emplace(one.pool, one.name).second; });
  return servers;
}

void write_servers(const std::vector<ServerView>& servers, PrometheusText& out) {
  auto family = [&](std::string_view name, Type type, std::string_view help, auto value) {
    out.family(name, type, help);
    for (const ServerView& one : servers) {
      out.sample({{"pool", one.pool}, {"server", one.name}}, value(one));
    }
  };
  using View = const ServerView&;
  family("lb_server_up", Type::gauge, "1 where the server may get new clients, else 0.",
         [](View one) { return uint64_t{one.is_usable}; });
  family("lb_server_weight", Type::gauge, "Its weight.",
         [](View one) { return uint64_t{one.weight}; });
  family("lb_server_active", Type::gauge, "Work in progress at the server.",
         [](View one) { return uint64_t{one.active_connections}; });
  family("lb_server_requests_total", Type::counter, "Requests; of tcp, connections.",
         [](View one) { return one.total_requests; });
  family("lb_server_connect_failures_total", Type::counter, "Connects that failed.",
         [](View one) { return one.connect_failures; });
  family("lb_server_failures_total", Type::counter,
         "Failed connects, and connections that the server broke off before its first byte.",
         [](View one) { return one.failures; });
  out.family("lb_server_bytes_total", Type::counter, "Bytes from clients (in) and to them (out).");
  for (View one : servers) {
    out.sample({{"pool", one.pool}, {"server", one.name}, {"direction", "in"}}, one.bytes_in);
    out.sample({{"pool", one.pool}, {"server", one.name}, {"direction", "out"}}, one.bytes_out);
  }
  out.family("lb_server_response_seconds", Type::gauge, "Moving average of the response time.");
  for (View one : servers) {
    if (!one.response_ms) continue;
    out.sample({{"pool", one.pool}, {"server", one.name}}, *one.response_ms / 1000);
  }
}

void get_prometheus(const Call& call) {
  PrometheusText out;
  write_process(call.control, out);
  write_listeners(call.control.listeners(), out);
  write_pools(call.control.pools(), out);
  write_servers(one_of_each_name(call.control.servers()), out);
  call.answer.send(
      {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = out.text()});
}

}  // namespace

Json to_json_with_figures(const ServerView& server) {
  Json json = to_json(server);
  auto tries = static_cast<double>(server.total_requests + server.connect_failures);
  json["bytesIn"] = server.bytes_in;
  json["bytesOut"] = server.bytes_out;
  json["failures"] = server.failures;
  json["errorRate"] = tries > 0 ? std::min(1.0, static_cast<double>(server.failures) / tries) : 0.0;
  json["latency"] = percentiles(server.latency);
  return json;
}

Json by_status(const ListenerView& listener) {
  Statuses statuses;
  for (const auto& requests : listener.requests) statuses.add(requests.status, requests.count);
  return statuses.to_json();
}

std::vector<Route> metrics_routes() {
  return {{"GET", "/api/metrics", get_metrics},
          {"GET", "/api/metrics/servers", get_server_metrics},
          {"GET", "/api/metrics/requests", get_request_metrics},
          {"GET", "/metrics", get_prometheus}};
}

}  // namespace lb::admin
