// SPDX-License-Identifier: MIT
#include "l7/exchange.h"

#include <gtest/gtest.h>

#include "exchange_rig.h"

namespace lb {
namespace {

struct Answer {
  const char* name;
  const char* method;
  const char* said;
  bool ends;  // the server closes behind it
  int status;
  const char* body;
  size_t kept;  // connections, afterwards
};

class ExchangeAnswer : public ExchangeTest, public testing::WithParamInterface<Answer> {};

TEST_P(ExchangeAnswer, IsPassedOnAsItWasMeant) {
  const Answer& row = GetParam();
  pool_config_->retries.attempts = 0;
  add_server();
  begin({.method = row.method});
  Fd server = arrive();
  EXPECT_TRUE(hears(server).starts_with(std::string(row.method) + " /x HTTP/1.1\r\n"));
  says(server, row.said);
  if (row.ends) server.reset();
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, row.status);
  EXPECT_EQ(client_.body, row.body);
  EXPECT_TRUE(client_.complete);
  EXPECT_FALSE(client_.was_cut);
  EXPECT_EQ(kept(), row.kept);
  EXPECT_EQ(members_[0].server->active(), 0U);
}

constexpr char kBadGateway[] = R"({"error": "Bad gateway"})";

INSTANTIATE_TEST_SUITE_P(
    Rows, ExchangeAnswer,
    testing::Values(
        Answer{"Length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok",
               1},
        Answer{"Empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, "", 1},
        Answer{"Chunks", "GET",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
               false, 200, "ok", 1},
        Answer{"UntilClose", "GET", "HTTP/1.1 200 OK\r\n\r\nok", true, 200, "ok", 0},
        Answer{"Head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", false, 200, "", 1},
        Answer{"HeadOfChunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
               false, 200, "", 1},
        Answer{"NoContent", "GET", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", 1},
        Answer{"NotModified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
               false, 304, "", 1},
        Answer{"ServerCloses", "GET",
               "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false, 200,
               "ok", 0},
        Answer{"Surplus", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP", false, 200,
               "ok", 0},
        Answer{"OwnError", "GET", "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", false, 503,
               "busy", 1},
        Answer{"Nonsense", "GET", "220 mail.example ESMTP\r\n\r\n", false, 502, kBadGateway, 0},
        Answer{"TwoLengths", "GET",
               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", false, 502,
               kBadGateway, 0},
        Answer{"Silence", "GET", "", true, 502, kBadGateway, 0},
        Answer{"HalfAHead", "GET", "HTTP/1.1 200 OK\r\nContent-Le", true, 502, kBadGateway, 0},
        Answer{"UnaskedSwitch", "GET", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", false, 502,
               kBadGateway, 0}),
    [](const auto& row) { return row.param.name; });

TEST_F(ExchangeTest, InterimResponsesComeAheadOfTheFinalOne) {
  add_server();
  begin();
  Fd server = arrive();
  hears(server);
  says(server,
       "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n");
  ASSERT_TRUE(run_until(rig_.loop, [&] { return client_.interims.size() == 2; }));
  EXPECT_EQ(client_.status, 0);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.interims, (std::vector<int>{103, 103}));
  EXPECT_EQ(client_.status, 200);
}

TEST_F(ExchangeTest, TheServerSaysWhetherABodyIsToCome) {
  add_server();
  begin({.method = "PUT", .complete = false});
  Fd server = arrive();
  hears(server);
  EXPECT_TRUE(exchange_->awaits_body());
  says(server, "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(run_until(rig_.loop, [&] { return !client_.interims.empty(); }));
  exchange_->on_body({"body", true, nullptr});
  std::string rest;
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(server.get(), rest);
    return rest == "4\r\nbody\r\n0\r\n\r\n";
  }));
  says(server, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.interims, std::vector<int>{100});
  EXPECT_EQ(client_.status, 201);
  EXPECT_EQ(kept(), 1U);
}

TEST_F(ExchangeTest, AnEarlyResponseEndsItAndTheServersConnection) {
  add_server();
  begin({.method = "POST", .body = "the beginning", .complete = false});
  Fd server = arrive();
  hears(server, 13);
  says(server, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.status, 413);
  EXPECT_EQ(client_.body, "no");
  EXPECT_FALSE(exchange_->body_done());
  EXPECT_EQ(kept(), 0U) << "the rest of the body would be its next request";
  exchange_->on_body({"late", true, nullptr});  // changes nothing
  EXPECT_NE(end_of(server), -EAGAIN);
}

TEST_F(ExchangeTest, AClientThatLeavesTakesTheServersConnectionWithIt) {
  add_server();
  begin();
  Fd server = arrive();
  hears(server);
  exchange_->client_gone();
  EXPECT_TRUE(client_.done);
  EXPECT_EQ(end_of(server), 0);
  EXPECT_EQ(kept(), 0U);
  EXPECT_EQ(members_[0].server->active(), 0U);
}

TEST_F(ExchangeTest, AClientThatLeavesWithinTheResponseDoesSoToo) {
  add_server();
  begin();
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
  ASSERT_TRUE(run_until(rig_.loop, [&] { return client_.status == 200; }));
  client_.gone = true;
  says(server, "more");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(kept(), 0U);
}

TEST_F(ExchangeTest, AResponseThatBreaksOffIsCutForTheClient) {
  add_server();
  begin();
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
  ASSERT_TRUE(run_until(rig_.loop, [&] { return client_.body == "begin"; }));
  server.reset();
  ASSERT_TRUE(is_done());
  EXPECT_TRUE(client_.was_cut);
  EXPECT_FALSE(client_.complete);
}

TEST_F(ExchangeTest, WhatTheClientDoesNotTakeIsNotReadOfTheServer) {
  add_server();
  begin();
  Fd server = arrive();
  hears(server);
  client_.blocked = true;
  std::string data = pattern(8'000'000);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
  size_t sent = 0;
  auto send_on = [&] { sent += send_some(server.get(), std::string_view(data).substr(sent)); };
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    send_on();
    return client_.status == 200;
  }));
  EXPECT_TRUE(stays_away(
      rig_.loop, [&] { return client_.body.size() > 128 * 1024; }, std::chrono::milliseconds(30)));
  client_.blocked = false;
  exchange_->client_drained();
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    send_on();
    return client_.done;
  }));
  EXPECT_EQ(client_.body, data);
  EXPECT_EQ(kept(), 1U);
}

TEST_F(ExchangeTest, WhatTheServerDoesNotTakeIsNotAskedOfTheClient) {
  add_server();
  begin({.method = "PUT", .complete = false});
  Fd server = arrive();
  std::string heard = hears(server);
  std::string piece(64 * 1024, 'x');
  size_t sent = 0;
  while (!client_.paused && sent < 100'000'000) {
    exchange_->on_body({piece, false, nullptr});
    sent += piece.size();
  }
  ASSERT_TRUE(client_.paused);
  EXPECT_FALSE(exchange_->awaits_body());
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(server.get(), heard);
    return !client_.paused;
  }));
  EXPECT_GT(heard.size(), sent / 2);
}

TEST_F(ExchangeTest, AfterASwitchBytesPassBothWaysUntilBothSidesAreDone) {
  add_server();
  begin({.upgrade = "websocket"});
  Fd server = arrive();
  EXPECT_NE(hears(server).find("Upgrade: websocket"), std::string::npos);
  says(server, "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi");
  ASSERT_TRUE(run_until(rig_.loop, [&] { return client_.body == "hi"; }));
  EXPECT_TRUE(exchange_->is_upgraded());
  exchange_->on_body({"hello", false, nullptr});
  std::string heard;
  ASSERT_TRUE(run_until(rig_.loop, [&] { return receive(server.get(), heard), heard == "hello"; }));
  exchange_->on_body({{}, true, nullptr});
  EXPECT_EQ(end_of(server), 0);
  EXPECT_FALSE(client_.done) << "the server may go on";
  says(server, "bye");
  server.reset();
  ASSERT_TRUE(is_done());
  EXPECT_EQ(client_.body, "hibye");
  EXPECT_TRUE(client_.complete);
  EXPECT_EQ(kept(), 0U);
}

}  // namespace
}  // namespace lb
