// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "admin/control_api.h"

namespace lb::admin {

// A balancer that is nothing but what a test says.
class FakeControl final : public ControlApi {
 public:
  FakeControl() {
    pool_views = {{"web", "round_robin", {"front"}, 1, 1},
                  {"db", "random", {"back"}, 1, 1},
                  {"spare", "hash", {}, 0, 0}};
    for (const char* name : {"a", "b"}) {
      ServerView server;
      server.id = std::string(15, '0') + name;
      server.name = name;
      server.pool = "web";
      server.host = "10.0.0.1";
      server.port = 8080;
      server.status = "healthy";
      server.added_at = 0;
      server_views.push_back(server);
    }
    server_views[1].pool = "db";
  }

  int64_t uptime_ms() const override { return 1234; }
  ProcessView process() const override { return {.version = "1.2.3", .workers = 2}; }
  std::vector<PoolView> pools() const override { return pool_views; }
  std::vector<ServerView> servers() const override { return server_views; }
  std::map<std::string, size_t> server_statuses() const override {
    std::map<std::string, size_t> counts;
    for (const ServerView& server : server_views) ++counts[server.status];
    return counts;
  }
  std::optional<SessionsView> sessions(const std::string& pool, size_t at_most) const override {
    if (pool == "none") return {};
    SessionsView view{3, {}};
    for (int64_t i = 0; i < 3 && view.entries.size() < at_most; ++i) {
      view.entries.push_back({"web", 0xabcd, "a", 1'000 * i, 2'000});
    }
    return view;
  }
  std::optional<ServerHealthView> server_health(const std::string& id) const override {
    auto found = health.find(id);
    return found == health.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<ListenerView> listeners() const override {
    return {{"front", "tcp", {":80"}, {"web"}, 3}};
  }
  std::vector<AlgorithmView> algorithms() const override {
    return {{"round_robin", {"weighted"}}, {"random", {}}};
  }
  void set_state(const std::string& id, WantedState state, const Outcome& outcome) override {
    static const char* const kWords[] = {"ready", "drain", "maintenance"};
    note(std::string("state ") + id + " " + kWords[static_cast<int>(state)], outcome);
  }
  void set_weight(const std::string& id, uint32_t weight, const Outcome& outcome) override {
    note("weight " + id + " " + std::to_string(weight), outcome);
  }
  void add_server(const NewServer& server, const Reply<ServerView>& reply) override {
    if (refusal) return reply(Unexpected{*refusal});
    added.push_back(server);
    ServerView view = server_views[0];
    view.name = server.name;
    reply(view);
  }
  void remove_server(const std::string& id, const Outcome& outcome) override {
    note("remove " + id, outcome);
  }
  void set_algorithm(const std::string& pool, const std::string& algorithm,
                     const Outcome& outcome) override {
    note("algorithm " + pool + " " + algorithm, outcome);
  }
  ConfigView config() const override { return {config_json, config_etag}; }
  void replace_config(const NewConfig& config, const Reply<ConfigView>& reply) override {
    if (refusal) return reply(Unexpected{*refusal});
    if (!config.may_replace(config_etag)) return reply(Unexpected{Refusal{412, "stale"}});
    changes.push_back("config " + config.text);
    reply(this->config());
  }
  void reload(const Outcome& outcome) override { note("reload", outcome); }

  std::vector<PoolView> pool_views;
  std::vector<ServerView> server_views;
  std::map<std::string, ServerHealthView> health;
  std::optional<Refusal> refusal;
  std::vector<std::string> changes;  // that were asked for
  std::vector<NewServer> added;
  Json config_json = {{"pools", Json::object()}};
  std::string config_etag = "abc";

 private:
  void note(std::string change, const Outcome& outcome) {
    if (refusal) return outcome(Unexpected{*refusal});
    changes.push_back(std::move(change));
    outcome(Done{});
  }
};

}  // namespace lb::admin
