// SPDX-License-Identifier: MIT
#include "admin/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "admin/answers.h"
#include "api_rig.h"

namespace lb::admin {
namespace {

using testing::HasSubstr;

TEST_F(ApiTest, ListsServersWithAllTheirFields) {
  control_.server_views.resize(1);
  ServerView& server = control_.server_views[0];
  server.response_ms = 1.23456;
  server.load = 0.5;
  server.last_check_at = 1'700'000'000'250;
  server.added_at = 0;
  server.active_connections = 3;
  server.total_requests = 12'345'678'901;
  server.weight = 7;
  EXPECT_EQ(
      ask("GET", "/api/servers").text,
      R"({"success":true,"data":[{"serverId":"000000000000000a","name":"a","pool":"web",)"
      R"("host":"10.0.0.1","port":8080,"weight":7,"backup":false,"status":"healthy",)"
      R"("activeConnections":3,"totalRequests":12345678901,"responseTime":1.235,"load":0.5,)"
      R"("lastHealthCheck":"2023-11-14T22:13:20.250Z","addedAt":"1970-01-01T00:00:00.000Z"}]})"
      "\n");
  server.response_ms.reset();
  server.load.reset();
  server.last_check_at.reset();
  Json data = ask("GET", "/api/servers").body["data"][0];
  EXPECT_TRUE(data["responseTime"].is_null() && data["load"].is_null() &&
              data["lastHealthCheck"].is_null());
}

TEST_F(ApiTest, ListsTheServersOfOnePool) {
  Json data = ask("GET", "/api/servers?pool=db").body["data"];
  ASSERT_EQ(data.size(), 1U);
  EXPECT_EQ(data[0]["name"], "b");
  EXPECT_EQ(ask("GET", "/api/servers?pool=spare").body["data"].size(), 0U);
  EXPECT_EQ(ask("GET", "/api/servers?pool=none").status, 404);
  EXPECT_EQ(ask("GET", "/api/servers?pol=db").status, 400);
}

TEST_F(ApiTest, TellsAServersHealth) {
  control_.health["000000000000000a"] = {
      .status = "unhealthy",
      .last_check = CheckView{.at = 1000, .passed = false, .duration_ms = 2, .detail = "refused"},
      .history = {{.at = 500, .from = "unknown", .to = "unhealthy", .reason = "refused"}}};
  EXPECT_EQ(ask("GET", "/api/servers/000000000000000a/health").text,
            R"({"success":true,"data":{"status":"unhealthy","lastCheck":)"
            R"({"at":"1970-01-01T00:00:01.000Z","passed":false,"duration":2,"detail":"refused"},)"
            R"("history":[{"at":"1970-01-01T00:00:00.500Z","from":"unknown","to":"unhealthy",)"
            R"("reason":"refused"}]}})"
            "\n");
  EXPECT_EQ(ask("GET", "/api/servers/ffff/health").status, 404);
}

TEST_F(ApiTest, TheHealthOfTheWholeDependsOnItsPools) {
  auto pool = [](bool is_used, size_t usable) {
    PoolView view;
    if (is_used) view.listeners = {"front"};
    view.usable_servers = usable;
    return view;
  };
  struct Row {
    std::vector<PoolView> pools;
    int status;
    std::string word;
  };
  const Row rows[] = {
      {{pool(true, 2), pool(true, 1)}, 200, "healthy"},
      {{pool(true, 1), pool(false, 0)}, 200, "healthy"},
      {{pool(true, 1), pool(true, 0)}, 200, "degraded"},
      {{pool(true, 0), pool(true, 0)}, 503, "unhealthy"},
      {{pool(true, 0), pool(false, 1)}, 503, "unhealthy"},
  };
  control_.server_views[1].status = "ejected";
  for (const Row& row : rows) {
    control_.pool_views = row.pools;
    Heard reply = ask("GET", "/api/health");
    EXPECT_EQ(reply.status, row.status);
    EXPECT_EQ(reply.text, "{\"status\":\"" + row.word +
                              "\",\"servers\":{\"total\":2,\"healthy\":1,\"unhealthy\":1},"
                              "\"uptime\":1234}\n");
  }
}

TEST_F(ApiTest, SetsTheStateOfAServer) {
  start(kToken);
  for (const char* word : {"drain", "maintenance", "ready"}) {
    Heard reply = change("PUT", "/api/servers/000000000000000b/state",
                         std::string("{\"state\": \"") + word + "\"}");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body["data"]["name"], "b");
  }
  EXPECT_THAT(control_.changes, testing::ElementsAre("state 000000000000000b drain",
                                                     "state 000000000000000b maintenance",
                                                     "state 000000000000000b ready"));
}

TEST_F(ApiTest, WrongBodiesAreToldByPathAndChangeNothing) {
  struct Row {
    std::string body;
    std::string error;
  };
  const Row rows[] = {
      {R"({"state": "up"})", "state: must be one of ready, drain, maintenance"},
      {R"({"state": 1})", "state: must be one of"},
      {R"({})", "state: is missing"},
      {R"({"stat": "drain"})", "stat: unknown field; did you mean 'state'?"},
      {R"({"state": "drain", "why": "x"})", "why: unknown field"},
      {R"({"state": "drain", "state": "ready"})", "the name 'state' stands twice"},
      {R"("drain")", "must be a JSON object, not a text"},
      {"state=drain", "not JSON, at byte 1"},
      {"{\"state\": \"\xFF\"}", "not JSON"},
      {std::string(60'000, '['), "nested deeper than 32 levels"},
  };
  start(kToken);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.body.substr(0, 60));
    Heard reply = change("PUT", "/api/servers/000000000000000a/state", row.body);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body["success"], false);
    EXPECT_THAT(reply.text, HasSubstr(row.error));
  }
  EXPECT_EQ(change("PUT", "/api/servers/000000000000000a/state", "").status, 400);
  EXPECT_EQ(change("PUT", "/api/servers/ffff/state", R"({"state": "drain"})").status, 404);
  EXPECT_EQ(change("PUT", "/api/servers/000000000000000a/state", std::string(65'537, ' ')).status,
            413);
  control_.refusal = Refusal{409, "it is on its way out"};
  Heard reply = change("PUT", "/api/servers/000000000000000a/state", R"({"state": "drain"})");
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.body["error"], "it is on its way out");
  EXPECT_TRUE(control_.changes.empty());
}

TEST_F(ApiTest, SetsTheWeightOfAServer) {
  start(kToken);
  const std::string path = "/api/servers/000000000000000a/weight";
  EXPECT_EQ(change("PUT", path, R"({"weight": 0})").status, 200);
  EXPECT_EQ(change("PUT", path, R"({"weight": 1000})").status, 200);
  EXPECT_EQ(change("PUT", path, R"({"weight": 1001})").status, 400);
  EXPECT_EQ(change("PUT", path, R"({"weight": "3"})").status, 400);
  EXPECT_EQ(change("PUT", path, R"({})").status, 400);
  EXPECT_EQ(change("PUT", "/api/servers/x/weight", R"({"weight": 1})").status, 404);
  EXPECT_THAT(control_.changes,
              testing::ElementsAre("weight 000000000000000a 0", "weight 000000000000000a 1000"));
}

TEST_F(ApiTest, AddsAServer) {
  start(kToken);
  Heard reply = change("POST", "/api/servers",
                       R"({"pool": "web", "host": "10.0.0.7", "port": 80, "weight": 3,)"
                       R"("name": "c", "backup": true, "healthCheckPath": "/up",)"
                       R"("healthCheckInterval": 1.5})");
  EXPECT_EQ(reply.status, 201) << reply.text;
  EXPECT_EQ(reply.body["data"]["name"], "c");
  ASSERT_EQ(control_.added.size(), 1U);
  const NewServer& server = control_.added[0];
  EXPECT_EQ(server.pool + server.host + server.name, "web10.0.0.7c");
  EXPECT_EQ(server.port, 80);
  EXPECT_EQ(server.weight, 3U);
  EXPECT_TRUE(server.backup);
  EXPECT_EQ(server.check_path, "/up");
  EXPECT_EQ(server.check_interval, std::chrono::milliseconds(1500));
  EXPECT_EQ(
      change("POST", "/api/servers", R"({"host": "a", "port": 1, "healthCheckInterval": "500ms"})")
          .status,
      201);
  EXPECT_EQ(control_.added[1].check_interval, std::chrono::milliseconds(500));
  EXPECT_EQ(control_.added[1].weight, 1U);
  EXPECT_FALSE(control_.added[1].check_path);
  control_.refusal = Refusal{409, "the pool has a server of that name", "name"};
  reply = change("POST", "/api/servers", R"({"host": "a", "port": 1})");
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.body["path"], "name");
}

TEST_F(ApiTest, ANewServerIsLookedAtClosely) {
  start(kToken);
  struct Row {
    std::string body;
    std::string path;
  };
  const Row rows[] = {
      {R"({"port": 1})", "host"},
      {R"({"host": "a"})", "port"},
      {R"({"host": "a", "port": 0})", "port"},
      {R"({"host": "a", "port": 65536})", "port"},
      {R"({"host": "", "port": 1})", "host"},
      {R"({"host": "a", "port": 1, "weight": -1})", "weight"},
      {R"({"host": "a", "port": 1, "backup": "yes"})", "backup"},
      {R"({"host": "a", "port": 1, "healthCheckPath": "up"})", "healthCheckPath"},
      {R"({"host": "a", "port": 1, "healthCheckInterval": "5"})", "healthCheckInterval"},
      {R"({"host": "a", "port": 1, "healthCheckInterval": 0})", "healthCheckInterval"},
      {R"({"host": "a", "port": 1, "healthCheckInterval": 1e300})", "healthCheckInterval"},
      {R"({"host": "a", "port": 1, "healthCheckInterval": []})", "healthCheckInterval"},
      {R"({"host": "a", "port": 1, "command": "rm"})", "command"},
  };
  for (const Row& row : rows) {
    Heard reply = change("POST", "/api/servers", row.body);
    EXPECT_EQ(reply.status, 400) << row.body;
    EXPECT_EQ(reply.body["path"], row.path) << reply.text;
  }
  EXPECT_TRUE(control_.added.empty());
}

TEST_F(ApiTest, RemovesAServer) {
  start(kToken);
  Heard reply = change("DELETE", "/api/servers/000000000000000a", "");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body["data"]["status"], "draining");
  EXPECT_EQ(change("DELETE", "/api/servers/x", "").status, 404);
  EXPECT_THAT(control_.changes, testing::ElementsAre("remove 000000000000000a"));
}

TEST_F(ApiTest, ListsPoolsListenersAndAlgorithms) {
  EXPECT_EQ(to_text(ask("GET", "/api/pools").body["data"][0]),
            R"({"name":"web","algorithm":"round_robin","listeners":["front"],)"
            R"("servers":{"total":1,"usable":1}})");
  EXPECT_EQ(to_text(ask("GET", "/api/listeners").body["data"]),
            R"([{"name":"front","protocol":"tcp","addresses":[":80"],"pool":"web",)"
            R"("pools":["web"],"activeConnections":3}])");
  EXPECT_EQ(to_text(ask("GET", "/api/algorithms").body["data"]),
            R"([{"name":"round_robin","aliases":["weighted"]},{"name":"random","aliases":[]}])");
}

TEST_F(ApiTest, SetsTheAlgorithmOfAPool) {
  start(kToken);
  Heard reply = change("PUT", "/api/algorithm", R"({"pool": "web", "algorithm": "weighted"})");
  EXPECT_EQ(to_text(reply.body["data"]), R"({"pool":"web","algorithm":"round_robin"})");
  EXPECT_THAT(control_.changes, testing::ElementsAre("algorithm web weighted"));
  reply = change("PUT", "/api/algorithm", R"({"pool": "web", "algorithm": "fastest"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body["error"], "algorithm: must be one of round_robin, weighted, random");
}

TEST_F(ApiTest, AReloadThatFailsTellsEverythingThatIsWrong) {
  start(kToken);
  EXPECT_EQ(change("POST", "/api/reload", "").status, 200);
  control_.refusal = Refusal{400, "lb.yaml has 1 error", "", {{3, 7, "pools.a", "unknown key"}}};
  Heard reply = change("POST", "/api/reload", "");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.text,
            R"({"success":false,"error":"lb.yaml has 1 error","errors":[{"line":3,"column":7,)"
            R"("path":"pools.a","message":"unknown key"}]})"
            "\n");
}

TEST_F(ApiTest, AWrongFieldHasItsPathApart) {
  start(kToken);
  Heard reply = change("PUT", "/api/servers/000000000000000a/state", R"({"state": "up"})");
  EXPECT_EQ(reply.body["path"], "state");
}

TEST_F(ApiTest, PathsAndMethodsThatAreNotThere) {
  for (const char* path : {"/", "/api", "/api/", "/api/servers/", "/api/servers//health",
                           "/api/servers/a/b/c", "/api/nothing", "//api/servers"}) {
    Heard reply = ask("GET", path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_EQ(reply.body["success"], false);
  }
  Heard reply = ask("DELETE", "/api/health");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(*find_field(reply.fields, "Allow"), "GET, HEAD");
  EXPECT_EQ(ask("OPTIONS", "/api/servers").status, 405);
  EXPECT_EQ(*find_field(ask("PUT", "/api/servers").fields, "Allow"), "GET, HEAD, POST");
  reply = ask("GET", "/api/servers/000000000000000a/state");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(*find_field(reply.fields, "Allow"), "PUT");
  EXPECT_EQ(ask("HEAD", "/api/health").status, 200);
  EXPECT_EQ(ask("HEAD", "/api/health").text, "");
}

TEST_F(ApiTest, ChangesNeedTheToken) {
  const std::string target = "/api/servers/000000000000000a/state";
  const std::string body = R"({"state": "drain"})";
  EXPECT_EQ(ask("PUT", target, body).status, 403);
  EXPECT_EQ(change("PUT", target, body).status, 403);
  start(kToken);
  Heard reply = ask("PUT", target, body);
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(*find_field(reply.fields, "WWW-Authenticate"), "Bearer");
  EXPECT_TRUE(control_.changes.empty());
  EXPECT_EQ(change("PUT", target, body).status, 200);
}

TEST_F(ApiTest, OtherSitesAreRefusedEvenReads) {
  EXPECT_EQ(ask("GET", "/api/health", "", "Host: evil.example\r\n").status, 403);
  EXPECT_EQ(
      ask("GET", "/api/servers", "", "Host: localhost\r\nOrigin: http://evil.example\r\n").status,
      403);
  Heard reply = ask("OPTIONS", "/api/servers", "",
                    "Host: localhost\r\nOrigin: http://evil.example\r\n"
                    "Access-Control-Request-Method: GET\r\n");
  EXPECT_EQ(reply.status, 403);
  for (const auto& [name, value] : reply.fields) EXPECT_FALSE(name.starts_with("Access-Control"));
}

TEST_F(ApiTest, AReadTakesNoBody) {
  EXPECT_EQ(ask("GET", "/api/servers", "{}").status, 400);
}

TEST_F(ApiTest, TheConfigurationHasATag) {
  Heard reply = ask("GET", "/api/config");
  EXPECT_EQ(reply.body["data"], control_.config_json);
  EXPECT_EQ(*find_field(reply.fields, "ETag"), "\"abc\"");
}

TEST_F(ApiTest, AConfigurationIsReplacedByWhoKnowsIt) {
  start(kToken);
  auto put = [&](const std::string& if_match) {
    std::string fields = std::string("Host: localhost\r\nAuthorization: Bearer ") + kToken + "\r\n";
    if (!if_match.empty()) fields += "If-Match: " + if_match + "\r\n";
    return ask("PUT", "/api/config", "pools: {}", fields);
  };
  for (const char* tags : {"", "*", "\"abc\"", "\"x\",\"abc\"", "\"x\" , \"abc\" "}) {
    Heard reply = put(tags);
    EXPECT_EQ(reply.status, 200) << tags;
    EXPECT_EQ(*find_field(reply.fields, "ETag"), "\"abc\"");
  }
  EXPECT_EQ(control_.changes.back(), "config pools: {}");
  for (const char* tags : {"\"x\"", "abc", "W/\"abc\"", ","})
    EXPECT_EQ(put(tags).status, 412) << tags;
  control_.refusal = Refusal{400, "2 problems", "", {{3, 7, "pools.a", "no"}, {4, 1, "", "no"}}};
  Heard reply = put("");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body["errors"][0],
            Json({{"line", 3}, {"column", 7}, {"path", "pools.a"}, {"message", "no"}}));
}

TEST_F(ApiTest, OnlyAConfigurationMayBeLong) {
  start(kToken);
  std::string text = "# " + std::string(500'000, 'x');
  EXPECT_EQ(change("PUT", "/api/config", text).status, 200);
  EXPECT_EQ(change("POST", "/api/servers", text).status, 413);
}

TEST_F(ApiTest, FiguresOfServersAndListeners) {
  control_.server_views.resize(1);
  ServerView& server = control_.server_views[0];
  server.total_requests = 8;
  server.connect_failures = 2;
  server.failures = 5;
  server.bytes_in = 10;
  server.bytes_out = 20;
  auto histogram = std::make_unique<Histogram>();
  for (int i = 0; i < 100; ++i) histogram->record(50'000);
  histogram->add_to(server.latency);
  Json data = ask("GET", "/api/metrics/servers").body["data"][0];
  EXPECT_EQ(data["name"], "a");
  EXPECT_EQ(data["bytesIn"], 10);
  EXPECT_EQ(data["failures"], 5);
  EXPECT_EQ(data["errorRate"], 0.5);
  EXPECT_NEAR(data["latency"]["p99"].get<double>(), 50, 5);
  data = ask("GET", "/api/metrics").body["data"];
  EXPECT_EQ(data["algorithm"], "mixed");
  EXPECT_EQ(data["activeConnections"], 3);
  EXPECT_EQ(data["uptime"], "0d 0h 0m");
  EXPECT_EQ(data["uptimeMs"], 1234);
  EXPECT_TRUE(data["averageResponseTime"].is_null());
  EXPECT_EQ(data["listeners"]["front"]["activeConnections"], 3);
  data = ask("GET", "/api/metrics/requests").body["data"];
  EXPECT_TRUE(data["listeners"]["front"]["latency"]["p50"].is_null());
  std::string text = ask("GET", "/metrics").text;
  EXPECT_THAT(text, HasSubstr("\nlb_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nlb_server_failures_total{pool=\"web\",server=\"a\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("\nlb_connections{listener=\"front\"} 3\n"));
}

TEST_F(ApiTest, EventsGoToAllWhoListen) {
  Fd fd = connect_to(address_);
  send_some(fd.get(), "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string heard;
  auto hears = [&](const std::string& end) {
    return run_until(loop_, [&] {
      receive(fd.get(), heard);
      return heard.ends_with(end);
    });
  };
  ASSERT_TRUE(hears(": hello\n\n")) << heard;
  EXPECT_THAT(heard, HasSubstr("Content-Type: text/event-stream\r\n"));
  heard.clear();
  api_->publish({.kind = EventView::Kind::health,
                 .at = 0,
                 .pool = "web",
                 .server = "a",
                 .from = "healthy",
                 .to = "unhealthy",
                 .reason = "refused"});
  EXPECT_TRUE(hears("\n\n"));
  EXPECT_EQ(
      heard,
      "event: health\ndata: {\"at\":\"1970-01-01T00:00:00.000Z\",\"pool\":\"web\","
      "\"server\":\"a\",\"from\":\"healthy\",\"to\":\"unhealthy\",\"reason\":\"refused\"}\n\n");
}

TEST_F(ApiTest, SoManyMayListenAndNoMore) {
  std::vector<Fd> listeners;
  for (size_t i = 0; i <= EventStreams::kMost; ++i) {
    listeners.push_back(connect_to(address_));
    send_some(listeners.back().get(), "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::string heard;
    EXPECT_TRUE(run_until(loop_, [&] {
      receive(listeners.back().get(), heard);
      return heard.find("\r\n\r\n") != std::string::npos;
    }));
    EXPECT_THAT(heard, HasSubstr(i < EventStreams::kMost ? " 200 " : " 503 "));
  }
}

TEST(Answers, TimesAreRfc3339) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1'700'000'000'007), "2023-11-14T22:13:20.007Z");
}

}  // namespace
}  // namespace lb::admin
