// SPDX-License-Identifier: MIT
// /api/servers: what the servers are and do, taking them out and back, adding and removing them.
#include <algorithm>
#include <cmath>

#include "admin/answers.h"
#include "admin/api.h"
#include "admin/json_fields.h"
#include "common/log.h"
#include "config/scalar.h"

namespace lb::admin {

namespace {

using std::chrono::milliseconds;

constexpr size_t kLongestName = 128;
constexpr size_t kLongestHost = 253;
constexpr size_t kLongestPath = 2'048;
constexpr uint32_t kMostWeight = 1'000;
constexpr milliseconds kShortestInterval{10};
constexpr milliseconds kLongestInterval{86'400'000};

Json time_or_null(const std::optional<int64_t>& unix_ms) {
  return unix_ms ? Json(rfc3339(*unix_ms)) : Json(nullptr);
}

HttpResponse no_such_server() {
  return failure(404, "there is no server with this id; GET /api/servers lists them");
}

std::optional<ServerView> find_server(const ControlApi& control, const std::string& id) {
  for (ServerView& server : control.servers()) {
    if (server.id == id) return std::move(server);
  }
  return {};
}

// Answers with the server as it is after the change.
Outcome answer_with_server(const Call& call) {
  return [&control = call.control, id = call.id, answer = call.answer](const auto& outcome) {
    if (!outcome) return answer.send(refusal(outcome.error()));
    auto server = find_server(control, id);
    answer.send(server ? success(to_json(*server)) : no_such_server());
  };
}

void list_servers(const Call& call) {
  const std::string* pool = find_field(call.request.query, "pool");
  if (pool != nullptr) {
    auto pools = call.control.pools();
    bool is_known = std::any_of(pools.begin(), pools.end(),
                                [&](const PoolView& view) { return view.name == *pool; });
    if (!is_known) return call.answer.send(failure(404, "there is no such pool"));
  }
  Json list = Json::array();
  for (const ServerView& server : call.control.servers()) {
    if (pool == nullptr || server.pool == *pool) list.push_back(to_json(server));
  }
  call.answer.send(success(list));
}

void get_server_health(const Call& call) {
  auto health = call.control.server_health(call.id);
  if (!health) return call.answer.send(no_such_server());
  Json last = nullptr;
  if (health->last_check) {
    last = {{"at", rfc3339(health->last_check->at)},
            {"passed", health->last_check->passed},
            {"duration", health->last_check->duration_ms},
            {"detail", health->last_check->detail}};
  }
  Json history = Json::array();
  for (const StatusChangeView& change : health->history) {
    history.push_back({{"at", rfc3339(change.at)},
                       {"from", change.from},
                       {"to", change.to},
                       {"reason", change.reason}});
  }
  call.answer.send(
      success({{"status", health->status}, {"lastCheck", last}, {"history", history}}));
}

WantedState wanted_state(const std::string& word) {
  if (word == "drain") return WantedState::drain;
  return word == "maintenance" ? WantedState::maintenance : WantedState::ready;
}

void put_state(const Call& call) {
  auto body = read_body(call);
  if (!body) return;
  JsonFields fields(*body);
  fields.require("state");
  auto word = fields.word("state", {"ready", "drain", "maintenance"});
  if (!check(call, fields)) return;
  if (!find_server(call.control, call.id)) return call.answer.send(no_such_server());
  call.control.set_state(call.id, wanted_state(*word), answer_with_server(call));
}

void put_weight(const Call& call) {
  auto body = read_body(call);
  if (!body) return;
  JsonFields fields(*body);
  fields.require("weight");
  auto weight = fields.whole_number("weight", 0, kMostWeight);
  if (!check(call, fields)) return;
  if (!find_server(call.control, call.id)) return call.answer.send(no_such_server());
  call.control.set_weight(call.id, *weight, answer_with_server(call));
}

// Seconds as a number, or a duration as the file has them.
std::optional<milliseconds> read_interval(JsonFields& fields, std::string_view name) {
  const Json* value = fields.any(name);
  if (value == nullptr) return {};
  if (value->is_string()) {
    auto parsed = config::duration(kShortestInterval, kLongestInterval)
                      .parse(value->get_ref<const std::string&>());
    if (parsed) return *parsed;
    fields.error(std::string(name), parsed.error().message);
  } else if (value->is_number()) {
    double seconds = value->get<double>();
    if (seconds >= 0.01 && seconds <= 86'400) return milliseconds(std::lround(seconds * 1000));
    fields.error(std::string(name), "must be 0.01 to 86400 seconds");
  } else {
    fields.error(std::string(name), "must be a number of seconds, or a text such as \"500ms\"");
  }
  return {};
}

void post_server(const Call& call) {
  auto body = read_body(call);
  if (!body) return;
  JsonFields fields(*body);
  fields.require("host");
  fields.require("port");
  NewServer server;
  server.pool = fields.text("pool", kLongestName).value_or("");
  server.host = fields.text("host", kLongestHost).value_or("");
  server.port = static_cast<uint16_t>(fields.whole_number("port", 1, 65'535).value_or(0));
  server.weight = fields.whole_number("weight", 0, kMostWeight).value_or(1);
  server.name = fields.text("name", kLongestName).value_or("");
  server.backup = fields.boolean("backup").value_or(false);
  server.check_path = fields.text("healthCheckPath", kLongestPath);
  server.check_interval = read_interval(fields, "healthCheckInterval");
  if (server.check_path && !server.check_path->starts_with('/')) {
    fields.error("healthCheckPath", "must begin with '/'");
  }
  if (!check(call, fields)) return;
  call.control.add_server(server, [answer = call.answer](const auto& added) {
    answer.send(added ? success(to_json(*added), 201) : refusal(added.error()));
  });
}

void delete_server(const Call& call) {
  if (!check_no_fields(call)) return;
  auto server = find_server(call.control, call.id);
  if (!server) return call.answer.send(no_such_server());
  call.control.remove_server(call.id, [&control = call.control, answer = call.answer,
                                       last = *server](const auto& outcome) {
    if (!outcome) return answer.send(refusal(outcome.error()));
    auto left = find_server(control, last.id);
    // With nothing open it is gone already.
    Json body = to_json(left ? *left : last);
    body["status"] = "draining";
    answer.send(success(body));
  });
}

}  // namespace

Json to_json(const ServerView& server) {
  return {{"serverId", server.id},
          {"name", server.name},
          {"pool", server.pool},
          {"host", server.host},
          {"port", server.port},
          {"weight", server.weight},
          {"backup", server.backup},
          {"status", server.status},
          {"activeConnections", server.active_connections},
          {"totalRequests", server.total_requests},
          {"responseTime", number_or_null(server.response_ms)},
          {"load", number_or_null(server.load)},
          {"lastHealthCheck", time_or_null(server.last_check_at)},
          {"addedAt", time_or_null(server.added_at)}};
}

std::vector<Route> server_routes() {
  return {{"GET", "/api/servers", list_servers, {"pool"}},
          {"POST", "/api/servers", post_server},
          {"DELETE", "/api/servers/{id}", delete_server},
          {"GET", "/api/servers/{id}/health", get_server_health},
          {"PUT", "/api/servers/{id}/state", put_state},
          {"PUT", "/api/servers/{id}/weight", put_weight}};
}

}  // namespace lb::admin
