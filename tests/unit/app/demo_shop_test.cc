// SPDX-License-Identifier: MIT
// The example servers of `lb demo`: how they behave, what they know, what they report.
#include "app/demo_shop.h"

#include <gtest/gtest.h>

#include <map>

#include "app/demo_behavior.h"
#include "app/demo_http.h"
#include "app/demo_work.h"
#include "common/json.h"
#include "pool/load_report.h"

namespace lb {
namespace {

using std::chrono::microseconds;

Result<DemoBehavior> behavior(const std::map<std::string, std::string>& environment) {
  return demo_behavior([&](const char* name) -> const char* {
    auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(DemoBehavior, ComesFromTheEnvironment) {
  using Row = std::pair<std::map<std::string, std::string>, DemoBehavior>;
  for (const auto& [environment, expected] : {
           Row{{}, {}},
           Row{{{"FAILURE_RATE", "5%"}}, {.failure_rate = 0.05}},
           Row{{{"FAILURE_RATE", "1"}}, {.failure_rate = 1}},
           Row{{{"MIN_LATENCY", "20"}, {"MAX_LATENCY", "0.5s"}},
               {.min_latency = microseconds(20'000), .max_latency = microseconds(500'000)}},
           Row{{{"MIN_LATENCY", "20ms"}},
               {.min_latency = microseconds(20'000), .max_latency = microseconds(20'000)}},
           Row{{{"MAX_LATENCY", "0"}},
               {.min_latency = microseconds(0), .max_latency = microseconds(0)}},
       }) {
    auto read = behavior(environment);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, expected);
  }
}

TEST(DemoBehavior, ABadVariableIsNamed) {
  using Row = std::pair<const char*, const char*>;
  for (auto [name, text] :
       {Row{"FAILURE_RATE", "2"}, Row{"FAILURE_RATE", "101%"}, Row{"FAILURE_RATE", ""},
        Row{"FAILURE_RATE", "-1"}, Row{"MIN_LATENCY", "fast"}, Row{"MAX_LATENCY", "2m"},
        Row{"MAX_LATENCY", "61s"}, Row{"MIN_LATENCY", "-5ms"}}) {
    auto read = behavior({{name, text}});
    ASSERT_FALSE(read) << name << "=" << text;
    EXPECT_TRUE(read.error().message.starts_with(name)) << read.error().message;
  }
  EXPECT_FALSE(behavior({{"MIN_LATENCY", "2s"}, {"MAX_LATENCY", "1s"}}));
}

TEST(DemoWork, ReportsHowBusyItWasInTheLastWholePeriod) {
  DemoWork work({.min_latency = microseconds(10'000), .max_latency = microseconds(10'000)}, 1);
  int64_t began_us = 1'000'000;
  EXPECT_EQ(work.figures(began_us).cpu, 0);
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(work.take_us(began_us + i * 20'000), began_us + i * 20'000 + 10'000);
  }
  work.moved(static_cast<size_t>(DemoWork::kLine / 2));
  EXPECT_EQ(work.figures(began_us + DemoWork::kPeriod_us - 1).cpu, 0) << "it is not over yet";
  auto figures = work.figures(began_us + DemoWork::kPeriod_us);
  EXPECT_NEAR(figures.cpu, 0.5, 0.001);
  EXPECT_NEAR(figures.network, 0.25, 0.001);
  EXPECT_EQ(figures.busy_ms, 1'000);
  EXPECT_EQ(work.figures(began_us + 2 * DemoWork::kPeriod_us).cpu, 0);
}

TEST(DemoWork, RequestsThatComeTogetherWaitForEachOther) {
  DemoWork work({.min_latency = microseconds(10'000), .max_latency = microseconds(10'000)}, 1);
  EXPECT_EQ(work.take_us(1'000), 11'000);
  EXPECT_EQ(work.take_us(1'000), 21'000);
}

class DemoHttpTest : public testing::Test {
 protected:
  // What is answered to these bytes, which come in pieces of this size.
  std::string serve(std::string_view bytes, size_t piece = SIZE_MAX) {
    std::string received;
    std::string out;
    while (!bytes.empty()) {
      received.append(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
      while (!http_.is_last() && http_.take(received, now_us_, out)) {
        now_us_ = std::max(now_us_, http_.answer_us());
        http_.answer(now_us_, out);
      }
    }
    return out;
  }
  static Json body_of(const std::string& response) {
    auto json = parse_json(response.substr(response.find("\r\n\r\n") + 4));
    return json ? *json : Json();
  }
  Json ask(const std::string& request) { return body_of(serve(request)); }

  int64_t now_us_ = 1'000'000;
  std::shared_ptr<DemoPictures> pictures_ = std::make_shared<DemoPictures>();
  DemoShop shop_{"red", pictures_};
  DemoWork work_{{}, 1};
  DemoHttpTools tools_{"red", shop_, *pictures_, work_};
  DemoHttp http_{tools_};
};

TEST_F(DemoHttpTest, EveryUserHasACart) {
  ask("POST /cart HTTP/1.1\r\nHost: a\r\nX-User: ann\r\nContent-Length: 6\r\n\r\na pear");
  ask("POST /cart HTTP/1.1\r\nHost: a\r\nX-User: ann\r\nContent-Length: 5\r\n\r\na fig");
  EXPECT_EQ(ask("GET /cart HTTP/1.1\r\nHost: a\r\nX-User: ann\r\n\r\n"),
            (Json{{"server", "red"}, {"user", "ann"}, {"items", {"a pear", "a fig"}}}));
  EXPECT_EQ(ask("GET /cart HTTP/1.1\r\nHost: a\r\nX-User: joe\r\n\r\n")["items"], Json::array());
  ask("DELETE /cart HTTP/1.1\r\nHost: a\r\nX-User: ann\r\n\r\n");
  EXPECT_EQ(ask("GET /cart HTTP/1.1\r\nHost: a\r\nX-User: ann\r\n\r\n")["items"], Json::array());
}

TEST_F(DemoHttpTest, AServerThatWasStoppedHasNoCarts) {
  ask("POST /cart HTTP/1.1\r\nHost: a\r\nX-User: ann\r\nContent-Length: 6\r\n\r\na pear");
  shop_.forget_carts();
  EXPECT_EQ(ask("GET /cart HTTP/1.1\r\nHost: a\r\nX-User: ann\r\n\r\n")["items"], Json::array());
}

TEST_F(DemoHttpTest, AUserWithoutANameIsGivenASession) {
  std::string first = serve("GET /cart HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string user = body_of(first)["user"];
  EXPECT_NE(first.find("Set-Cookie: sessionId=" + user + ";"), std::string::npos);
  std::string second =
      serve("GET /cart HTTP/1.1\r\nHost: a\r\nCookie: a=1; sessionId=" + user + "\r\n\r\n");
  EXPECT_EQ(body_of(second)["user"], user);
  EXPECT_EQ(second.find("Set-Cookie"), std::string::npos);
}

TEST_F(DemoHttpTest, PicturesComeBackAsTheyWere) {
  std::string put =
      "PUT /pictures/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  for (size_t piece : {1u, 7u, 1'000u}) {
    EXPECT_EQ(body_of(serve(put, piece))["bytes"], 5) << piece;
  }
  std::string got = serve("GET /pictures/1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(got.ends_with("\r\n\r\nabcde"));
  EXPECT_TRUE(serve("HEAD /pictures/1 HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("\r\n\r\n"));
  EXPECT_EQ(ask("GET /pictures/2 HTTP/1.1\r\nHost: a\r\n\r\n")["error"], "No such picture");
}

TEST_F(DemoHttpTest, ItsLoadIsInEveryResponseAndInHealthBodies) {
  serve("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string health = serve("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(parse_load_body(health.substr(health.find("\r\n\r\n") + 4)));
  size_t begin = health.find("endpoint-load-metrics: ") + 23;
  auto report = parse_load_header(health.substr(begin, health.find("\r\n", begin) - begin));
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->cpu && report->memory && report->network);
}

TEST_F(DemoHttpTest, WhatIsTooLargeOrNoHttpEndsTheConnection) {
  for (std::string_view bad :
       {"GET / HTTP/1.1\r\n\r\n",
        "PUT /pictures/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n",
        "POST /cart HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"}) {
    DemoHttp http(tools_);
    std::string received(bad);
    std::string out;
    ASSERT_TRUE(http.take(received, 0, out)) << bad;
    http.answer(0, out);
    EXPECT_TRUE(out.starts_with("HTTP/1.1 4")) << out;
    EXPECT_TRUE(http.is_last());
  }
}

}  // namespace
}  // namespace lb
