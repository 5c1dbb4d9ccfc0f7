// SPDX-License-Identifier: MIT
// /api/servers: what the servers are and do, and taking them out and back.
#include <algorithm>
#include <cmath>

#include "admin/answers.h"
#include "admin/api.h"
#include "admin/json_fields.h"
#include "common/log.h"

namespace lb::admin {

namespace {

Json time_or_null(const std::optional<int64_t>& unix_ms) {
  return unix_ms ? Json(rfc3339(*unix_ms)) : Json(nullptr);
}

// To the microsecond: more digits would be noise.
Json number_or_null(const std::optional<double>& value) {
  return value ? Json(std::round(*value * 1000) / 1000) : Json(nullptr);
}

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
          {"addedAt", rfc3339(server.added_at)}};
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
  auto body = parse_json(call.request.body);
  if (!body) return call.answer.send(failure(400, "the body is " + body.error().message));
  JsonFields fields(*body);
  fields.require("state");
  auto word = fields.word("state", {"ready", "drain", "maintenance"});
  if (auto error = fields.finish()) {
    return call.answer.send(failure(400, error->message, error->path));
  }
  if (!find_server(call.control, call.id)) return call.answer.send(no_such_server());
  call.control.set_state(
      call.id, wanted_state(*word),
      [&control = call.control, id = call.id, answer = call.answer](const Status<>& set) {
        if (!set) return answer.send(failure(409, set.error().message));
        auto server = find_server(control, id);
        answer.send(server ? success(to_json(*server)) : no_such_server());
      });
}

}  // namespace

std::vector<Route> server_routes() {
  return {{"GET", "/api/servers", list_servers, {"pool"}},
          {"GET", "/api/servers/{id}/health", get_server_health},
          {"PUT", "/api/servers/{id}/state", put_state}};
}

}  // namespace lb::admin
