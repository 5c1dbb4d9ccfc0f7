// SPDX-License-Identifier: MIT
// Which requests are sent again, and what ends those that take too long.
#include <gtest/gtest.h>

#include "exchange_rig.h"
#include "l7/exchange.h"

namespace lb {
namespace {

struct Failure {
  const char* name;
  const char* method;
  size_t body;
  const char* said;  // before the server breaks off
  bool repeated;
};

class ExchangeAfterAFailure : public ExchangeTest, public testing::WithParamInterface<Failure> {};

TEST_P(ExchangeAfterAFailure, IsRepeatedOnlyWhereThatDoesNoHarm) {
  const Failure& row = GetParam();
  add_server();
  add_server();
  std::string body = pattern(row.body);
  begin({.method = row.method, .body = body});
  Fd first = arrive(0);
  hears(first, body.size());
  says(first, row.said);
  first.reset();
  if (row.repeated) {
    Fd second = arrive(1);
    EXPECT_TRUE(hears(second, body.size()).ends_with(body));
    says(second, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, row.repeated ? 200 : 502);
  EXPECT_EQ(members_[0].server->active() + members_[1].server->active(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ExchangeAfterAFailure,
    testing::Values(Failure{"Get", "GET", 0, "", true}, Failure{"Head", "HEAD", 0, "", true},
                    Failure{"Options", "OPTIONS", 0, "", true},
                    Failure{"Delete", "DELETE", 0, "", true},
                    Failure{"Put", "PUT", 1'000, "", true},
                    Failure{"PutOfAllThatIsHeld", "PUT", Exchange::kMostHeld, "", true},
                    Failure{"PutOfMore", "PUT", Exchange::kMostHeld + 1, "", false},
                    Failure{"Post", "POST", 10, "", false},
                    Failure{"Patch", "PATCH", 10, "", false}, Failure{"Own", "PURGE", 0, "", false},
                    Failure{"GetThatWasBegun", "GET", 0, "HTTP/1.1 200", false}),
    [](const auto& row) { return row.param.name; });

TEST_F(ExchangeTest, WhatNobodyWasSentGoesToAnotherServerWhateverItIs) {
  add_server(refusing_address());
  add_server();
  listening_.insert(listening_.begin(), nullptr);
  begin({.method = "POST", .body = "once"});
  Fd server = arrive(1);
  EXPECT_TRUE(hears(server, 4).ends_with("once"));
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, 200);
  EXPECT_EQ(rig_.connects_failed.size(), 1U);
}

TEST_F(ExchangeTest, ThatNobodyCanBeReachedIs503) {
  add_server(refusing_address());
  pool_config_->retries.backoff = milliseconds(1);
  begin();
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, 503);
  EXPECT_NE(client_.fields.find("Retry-After"), std::string::npos);
}

struct Stale {
  const char* name;
  const char* method;
};

class ExchangeOnAStaleConnection : public ExchangeTest,
                                   public testing::WithParamInterface<Stale> {};

TEST_P(ExchangeOnAStaleConnection, TakesANewOneWhichIsNoTry) {
  pool_config_->retries.attempts = 0;
  add_server();
  begin();
  Fd first = arrive();
  hears(first);
  says(first, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(is_done());
  ASSERT_EQ(kept(), 1U);
  first.reset();  // which the exchange does not know when it begins
  begin({.method = GetParam().method});
  Fd second = arrive();
  hears(second);
  says(second, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, 201);
}

INSTANTIATE_TEST_SUITE_P(Rows, ExchangeOnAStaleConnection,
                         testing::Values(Stale{"Get", "GET"}, Stale{"Post", "POST"}),
                         [](const auto& row) { return row.param.name; });

TEST_F(ExchangeTest, AServerThatGoesBeforeItsResponseIsReplaced) {
  add_server();
  add_server();
  begin();
  Fd first = arrive(0);
  hears(first);
  EXPECT_EQ(exchange_->server(), members_[0].server);
  exchange_->leave_server();
  Fd second = arrive(1);
  hears(second);
  says(second, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, 200);
}

TEST_F(ExchangeTest, AServerThatGoesWithinItsResponseCutsIt) {
  add_server();
  begin();
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
  ASSERT_TRUE(run_until(rig_.loop, [&] { return client_.status == 200; }));
  exchange_->leave_server();
  EXPECT_TRUE(client_.done);
  EXPECT_TRUE(client_.was_cut);
}

struct Limit {
  const char* name;
  void (*set)(PoolConfig&, HttpRoute&, ListenerConfig&);
  const char* said;  // before the server falls silent
  int status;        // 0 = that of `said`, and the rest is cut
};

class ExchangeInTime : public ExchangeTest, public testing::WithParamInterface<Limit> {};

TEST_P(ExchangeInTime, EndsWhenItsTimeIsOver) {
  const Limit& row = GetParam();
  row.set(*pool_config_, route(), *listener_);
  add_server();
  begin({.upgrade = "x"});
  Fd server = arrive();
  hears(server);
  says(server, row.said);
  ASSERT_TRUE(is_done());
  if (row.status != 0) {
    EXPECT_EQ(client_.status, row.status);
    EXPECT_FALSE(client_.was_cut);
  } else {
    EXPECT_TRUE(client_.was_cut);
  }
  EXPECT_NE(end_of(server), -EAGAIN);
  EXPECT_EQ(kept(), 0U);
}

constexpr milliseconds kShort{20};
constexpr milliseconds kLongEnough{500};  // for a response to begin on a busy machine

INSTANTIATE_TEST_SUITE_P(
    Rows, ExchangeInTime,
    testing::Values(
        Limit{"Response",
              [](PoolConfig& pool, HttpRoute&, ListenerConfig&) {
                pool.http.response_timeout = kShort;
              },
              "", 504},
        Limit{"ResponseOfWhichHalfAHeadCame",
              [](PoolConfig& pool, HttpRoute&, ListenerConfig&) {
                pool.http.response_timeout = kShort;
              },
              "HTTP/1.1 200 OK\r\n", 504},
        Limit{"ResponseBody",
              [](PoolConfig& pool, HttpRoute&, ListenerConfig&) {
                pool.http.response_body_timeout = kShort;
              },
              "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0},
        Limit{"Route",
              [](PoolConfig&, HttpRoute& route, ListenerConfig&) { route.timeout = kShort; }, "",
              504},
        Limit{"RouteWithinTheBody",
              [](PoolConfig&, HttpRoute& route, ListenerConfig&) { route.timeout = kLongEnough; },
              "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0},
        Limit{"SilenceAfterASwitch",
              [](PoolConfig&, HttpRoute&, ListenerConfig& listener) {
                listener.timeouts.idle = kShort;
              },
              "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 0}),
    [](const auto& row) { return row.param.name; });

TEST_F(ExchangeTest, WhileTheClientStillSendsTheServersTimeDoesNotRun) {
  pool_config_->http.response_timeout = kShort;
  add_server();
  begin({.method = "PUT", .complete = false});
  Fd server = arrive();
  hears(server);
  EXPECT_TRUE(stays_away(
      rig_.loop, [&] { return client_.done; }, 3 * kShort));
  exchange_->on_body({"end", true, nullptr});
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, 504);
}

TEST_F(ExchangeTest, RefusedByItsCodecItAnswersOrIsCut) {
  add_server();
  begin({.method = "PUT", .complete = false});
  hears(arrive());
  exchange_->refuse(400);
  EXPECT_TRUE(client_.done);
  EXPECT_EQ(client_.status, 400);

  begin({.method = "PUT", .complete = false});
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  ASSERT_TRUE(run_until(rig_.loop, [&] { return client_.status == 200; }));
  exchange_->refuse(400);
  EXPECT_TRUE(client_.done);
  EXPECT_TRUE(client_.was_cut);
}

}  // namespace
}  // namespace lb
