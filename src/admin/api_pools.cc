// SPDX-License-Identifier: MIT
// /api/pools, /api/listeners, /api/sessions and /api/algorithms: what there is, who sticks where,
// and how pools choose.
#include <algorithm>

#include "admin/answers.h"
#include "admin/api.h"
#include "admin/json_fields.h"
#include "common/log.h"
#include "config/scalar.h"

namespace lb::admin {

namespace {

constexpr size_t kLongestName = 128;
constexpr uint32_t kMostSessions = 1'000;

void list_pools(const Call& call) {
  Json list = Json::array();
  for (const PoolView& pool : call.control.pools()) {
    list.push_back(to_json(pool));
  }
  call.answer.send(success(list));
}

void list_listeners(const Call& call) {
  Json list = Json::array();
  for (const ListenerView& listener : call.control.listeners()) {
    bool only_one = listener.pools.size() == 1;
    list.push_back({{"name", listener.name},
                    {"protocol", listener.protocol},
                    {"addresses", listener.addresses},
                    {"pool", only_one ? Json(*listener.pools.begin()) : Json(nullptr)},
                    {"pools", listener.pools},
                    {"activeConnections", listener.active_connections}});
  }
  call.answer.send(success(list));
}

void list_sessions(const Call& call) {
  const std::string* pool = find_field(call.request.query, "pool");
  const std::string* limit = find_field(call.request.query, "limit");
  uint32_t at_most = kMostSessions;
  if (limit != nullptr) {
    auto number = config::whole_number(1, kMostSessions).parse(*limit);
    if (!number) return call.answer.send(failure(400, number.error().message, "limit"));
    at_most = *number;
  }
  auto sessions = call.control.sessions(pool == nullptr ? "" : *pool, at_most);
  if (!sessions) return call.answer.send(failure(404, "there is no such pool"));
  Json entries = Json::array();
  for (const SessionView& session : sessions->entries) {
    entries.push_back({{"pool", session.pool},
                       {"key", fmt::format("{:016x}", session.key)},
                       {"server", session.server},
                       {"lastUsed", rfc3339(session.last_used)},
                       {"expires", rfc3339(session.expires)}});
  }
  call.answer.send(success({{"total", sessions->total}, {"entries", std::move(entries)}}));
}

void list_algorithms(const Call& call) {
  Json list = Json::array();
  for (const AlgorithmView& algorithm : call.control.algorithms()) {
    list.push_back({{"name", algorithm.name}, {"aliases", algorithm.aliases}});
  }
  call.answer.send(success(list));
}

std::vector<std::string> all_algorithms(const ControlApi& control) {
  std::vector<std::string> words;
  for (const AlgorithmView& algorithm : control.algorithms()) {
    words.push_back(algorithm.name);
    words.insert(words.end(), algorithm.aliases.begin(), algorithm.aliases.end());
  }
  return words;
}

void put_algorithm(const Call& call) {
  auto body = read_body(call);
  if (!body) return;
  JsonFields fields(*body);
  fields.require("pool");
  fields.require("algorithm");
  auto pool = fields.text("pool", kLongestName);
  std::vector<std::string> words = all_algorithms(call.control);
  auto algorithm = fields.word("algorithm", {words.begin(), words.end()});
  if (!check(call, fields)) return;
  auto outcome = [&control = call.control, answer = call.answer,
                  name = *pool](const auto& changed) {
    if (!changed) return answer.send(refusal(changed.error()));
    for (const PoolView& view : control.pools()) {
      if (view.name != name) continue;
      return answer.send(success({{"pool", view.name}, {"algorithm", view.algorithm}}));
    }
    answer.send(failure(404, "there is no such pool any more"));
  };
  call.control.set_algorithm(*pool, *algorithm, outcome);
}

}  // namespace

Json to_json(const PoolView& pool) {
  return {{"name", pool.name},
          {"algorithm", pool.algorithm},
          {"listeners", pool.listeners},
          {"servers", {{"total", pool.servers}, {"usable", pool.usable_servers}}}};
}

std::vector<Route> pool_routes() {
  return {{"GET", "/api/pools", list_pools},
          {"GET", "/api/listeners", list_listeners},
          {"GET", "/api/sessions", list_sessions, {"pool", "limit"}},
          {"GET", "/api/algorithms", list_algorithms},
          {"PUT", "/api/algorithm", put_algorithm}};
}

}  // namespace lb::admin
