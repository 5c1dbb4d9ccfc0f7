// SPDX-License-Identifier: MIT
// Servers that speak HTTP/2, between clients that do: how exchanges share their connections, and
// what becomes of them when a server says no, goes, or says nonsense.
#include <gtest/gtest.h>

#include "http2_server_rig.h"
#include "l7/http2_server_connection.h"
#include "net/socket.h"

namespace lb {
namespace {

class Http2Servers : public Http2Test {
 protected:
  Http2Servers() {
    add_server();
    pool_config_->http.protocol = HttpProtocol::http2;
  }

  std::unique_ptr<Http2ServerEnd> serve(size_t server = 0) {
    return std::make_unique<Http2ServerEnd>(rig_.loop, arrive(server));
  }
  bool has_ended(Http2Peer& peer, uint32_t id) {
    return peer.until([&] { return peer.streams[id].ended || !peer.streams[id].reset.empty(); });
  }
};

TEST_F(Http2Servers, ARequestPassesWithAllThatItHas) {
  auto peer = connect();
  peer->say(headers({{":method", "POST"},
                     {":scheme", "http"},
                     {":path", "/x?y=z"},
                     {":authority", "a.example"},
                     {"te", "trailers"},
                     {"x-mine", "1"},
                     {"content-length", "3"}},
                    1, kGoesOn) +
            data("abc", 1, false) + headers({{"x-sum", "3"}}));
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  const auto& heard = server->requests[1];
  EXPECT_TRUE(heard.head.starts_with(
      ":method: POST\n:scheme: http\n:authority: a.example\n:path: /x?y=z\nx-mine: 1\n"))
      << heard.head;
  EXPECT_NE(heard.head.find("\nte: trailers\n"), std::string::npos);
  EXPECT_NE(heard.head.find("\ncontent-length: 3\n"), std::string::npos);
  EXPECT_EQ(heard.body, "abc");
  EXPECT_EQ(heard.trailers, "x-sum: 3\n");
  server->say(response_head(1, {{"x-theirs", "2"}}) + data("hello", 1, false) +
              headers({{"grpc-status", "0"}}));
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].fields, "x-theirs: 2\n");
  EXPECT_EQ(peer->streams[1].body, "hello");
  EXPECT_EQ(peer->streams[1].trailers, "grpc-status: 0\n");
}

TEST_F(Http2Servers, ExchangesShareAConnection) {
  auto one = connect();
  auto other = connect();
  one->say(get() + get(3));
  other->say(get());
  auto server = serve();
  ASSERT_TRUE(server->until([&] { return server->requests.size() == 3; }));
  server->say(answer(5, "c") + answer(1, "a") + answer(3, "b"));
  ASSERT_TRUE(has_ended(*one, 1) && has_ended(*one, 3) && has_ended(*other, 1));
  EXPECT_FALSE(listening_[0]->try_accept());
}

TEST_F(Http2Servers, AnotherIsOpenedWhereStreamsRunOut) {
  auto peer = connect();
  peer->say(get());
  auto first = serve();
  ASSERT_TRUE(first->hears(1));
  first->say(settings({{3, 1}}) + ping());
  ASSERT_TRUE(first->until([&] { return first->pongs > 0; }));
  peer->say(get(3));
  auto second = serve();
  ASSERT_TRUE(second->hears(1));
  second->say(answer(1, "b"));
  first->say(answer(1, "a"));
  ASSERT_TRUE(has_ended(*peer, 1) && has_ended(*peer, 3));
}

TEST_F(Http2Servers, WhatAServerRefusesIsTriedAgain) {
  auto peer = connect();
  peer->say(post() + data("abc"));
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  server->say(reset(1, 7));  // REFUSED_STREAM
  ASSERT_TRUE(server->hears(3));
  EXPECT_EQ(server->requests[3].body, "abc");
  server->say(answer(3, "ok"));
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].status, 200);
}

TEST_F(Http2Servers, WhatAServerLeavesBehindIsTriedElsewhere) {
  auto peer = connect();
  peer->say(get() + post(3) + data("abc", 3));
  auto first = serve();
  ASSERT_TRUE(first->hears(3));
  first->say(frame(Http2Type::goaway, 0, 0, uint32_bytes(1) + uint32_bytes(0)));
  auto second = serve();
  ASSERT_TRUE(second->hears(1));
  EXPECT_EQ(second->requests[1].body, "abc");
  second->say(answer(1, "b"));
  first->say(answer(1, "a"));  // which it still serves
  ASSERT_TRUE(has_ended(*peer, 1) && has_ended(*peer, 3));
  EXPECT_EQ(peer->streams[1].body, "a");
  EXPECT_TRUE(first->until([&] { return first->closed; }));
}

TEST_F(Http2Servers, WhatIsLeftBehindSharesTheNextConnection) {
  auto peer = connect();
  peer->say(get() + get(3) + get(5));
  auto first = serve();
  ASSERT_TRUE(first->hears(5));
  first->say(frame(Http2Type::goaway, 0, 0, uint32_bytes(0) + uint32_bytes(0)));
  auto second = serve();
  ASSERT_TRUE(second->hears(5));
  second->say(answer(1, "a") + answer(3, "b") + answer(5, "c"));
  ASSERT_TRUE(has_ended(*peer, 1) && has_ended(*peer, 3) && has_ended(*peer, 5));
  EXPECT_FALSE(listening_[0]->try_accept());
}

// Nothing has told before how many there may be.
TEST_F(Http2Servers, TooManyAtFirstAreNoFailures) {
  pool_config_->retries.attempts = 0;
  auto peer = connect();
  peer->say(get() + get(3) + get(5) + get(7) + get(9));
  auto first = serve();
  ASSERT_TRUE(first->hears(9));
  first->say(settings({{3, 2}}) + reset(5, 7) + reset(7, 7) + reset(9, 7));
  auto second = serve();
  auto third = serve();
  ASSERT_TRUE(second->hears(3) && third->hears(1));
  EXPECT_EQ(second->requests.size(), 2u);
  first->say(answer(1, "a") + answer(3, "b"));
  second->say(answer(1, "c") + answer(3, "d"));
  third->say(answer(1, "e"));
  for (uint32_t id = 1; id < 10; id += 2) {
    ASSERT_TRUE(has_ended(*peer, id));
    EXPECT_EQ(peer->streams[id].status, 200);
  }
}

TEST_F(Http2Servers, WhatIsAlwaysRefusedIsAFailure) {
  pool_config_->retries.attempts = 0;
  auto peer = connect();
  peer->say(get());
  auto server = serve();
  for (uint32_t id : {1u, 3u, 5u, 7u}) {
    ASSERT_TRUE(server->hears(id));
    server->say(reset(id, 7));
  }
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].status, 502);
}

TEST_F(Http2Servers, AResetSaysNothingOfTheConnection) {
  auto peer = connect();
  peer->say(get());
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  server->say(answer(1, "a"));
  ASSERT_TRUE(has_ended(*peer, 1));
  peer->say(get(3));
  ASSERT_TRUE(server->hears(3));
  server->say(reset(3, 2));
  ASSERT_TRUE(server->hears(5));
  server->say(answer(5, "b"));
  ASSERT_TRUE(has_ended(*peer, 3));
  EXPECT_EQ(peer->streams[3].body, "b");
}

TEST_F(Http2Servers, AConnectionThatSaysNothingIsLeft) {
  pool_config_->http.response_timeout = std::chrono::milliseconds(600);
  auto peer = connect();
  peer->say(get());
  auto first = serve();
  ASSERT_TRUE(first->hears(1));
  first->say(answer(1, "a"));
  ASSERT_TRUE(has_ended(*peer, 1));
  peer->say(get(3));
  ASSERT_TRUE(first->hears(3) && has_ended(*peer, 3));
  EXPECT_EQ(peer->streams[3].status, 504);
  peer->say(get(5));
  auto second = serve();
  ASSERT_TRUE(second->hears(1));
  EXPECT_TRUE(first->until([&] { return first->closed; }));
}

TEST_F(Http2Servers, AConnectionThatTakesNothingIsGivenNoMore) {
  set_option(listening_[0]->fd(), SOL_SOCKET, SO_RCVBUF, 4096);  // inherited
  auto peer = connect();
  std::string large(14'000, 'x');
  for (uint32_t id = 1; id < 160; id += 2) peer->say(get(id, {{"x-large", large}}));
  auto first = serve();
  auto second = serve();
  EXPECT_TRUE(second->hears(1));
}

TEST_F(Http2Servers, AResponseThatIsCutIsNeverAWholeOne) {
  for (const std::string& cut :
       {data("abc", 1, false) + reset(1, 2), data("abcdefghijk", 1, false), data("abc", 1, true),
        data("abc", 1, false) + headers({{"X", "1"}}),
        data("abc", 1, false) + frame(Http2Type::goaway, 0, 0, "x")}) {
    auto peer = connect();
    peer->say(get());
    auto server = serve();
    ASSERT_TRUE(server->hears(1));
    server->say(response_head(1, {{"content-length", "10"}}) + cut);
    ASSERT_TRUE(has_ended(*peer, 1));
    EXPECT_EQ(peer->streams[1].status, 200);
    EXPECT_EQ(peer->streams[1].reset, "INTERNAL_ERROR");
    server->hang_up();
    peer->hang_up();
    peer->settle();
  }
}

TEST_F(Http2Servers, WhatIsNoResponseIs502) {
  const std::vector<std::string> rows = {
      headers({{"x", "1"}}),
      headers({{":status", "20"}}),
      headers({{":status", "abc"}}),
      headers({{":status", "600"}}),
      headers({{":status", "101"}}),
      headers({{":status", "200"}, {":status", "200"}}),
      headers({{":status", "200"}, {":path", "/"}}),
      headers({{"x", "1"}, {":status", "200"}}),
      headers({{":status", "200"}, {"X", "1"}}),
      headers({{":status", "200"}, {"x", "a\nb"}}),
      headers({{":status", "200"}, {"x y", "1"}}),
      headers({{":status", "200"}, {"connection", "close"}}),
      headers({{":status", "200"}, {"transfer-encoding", "chunked"}}),
      headers({{":status", "200"}, {"content-length", "1"}, {"content-length", "1"}}),
      headers({{":status", "200"}, {"content-length", "x"}}),
      headers({{":status", "200"}, {"content-length", "5"}}),  // and no body
      headers({{":status", "100"}}),                           // as the last word
      data("x"),
      frame(Http2Type::headers, kEnds, 1, "\xbe"),
      frame(Http2Type::push_promise, kGoesOn, 1, uint32_bytes(2)),
      frame(Http2Type::ping, 0, 0, "short"),
  };
  for (const std::string& row : rows) {
    auto peer = connect();
    peer->say(get());
    auto server = serve();
    ASSERT_TRUE(server->hears(1));
    server->say(row);
    ASSERT_TRUE(has_ended(*peer, 1));
    EXPECT_EQ(peer->streams[1].status, 502);
    server->hang_up();
    peer->settle();
  }
}

TEST_F(Http2Servers, AServerThatGoesBeforeAWordIsTriedAgain) {
  auto peer = connect();
  peer->say(get());
  auto first = serve();
  ASSERT_TRUE(first->hears(1));
  first->hang_up();
  auto second = serve();
  ASSERT_TRUE(second->hears(1));
  second->say(answer(1, "ok"));
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].body, "ok");
}

TEST_F(Http2Servers, ARequestsBodyGoesAsFarAsTheServersWindow) {
  auto peer = connect();
  std::string body(100'000, 'x');
  peer->say(post());
  for (size_t at = 0; at < body.size(); at += 10'000) {
    peer->say(data(body.substr(at, 10'000), 1, at + 10'000 == body.size()));
  }
  auto server = serve();
  ASSERT_TRUE(server->until([&] { return server->requests[1].body.size() == 65'535; }));
  peer->settle();
  server->listen();
  EXPECT_EQ(server->requests[1].body.size(), 65'535u);
  server->say(window_update(1, 100'000) + window_update(0, 100'000));
  ASSERT_TRUE(server->hears(1));
  EXPECT_EQ(server->requests[1].body, body);
  server->say(answer(1, "ok"));
  ASSERT_TRUE(has_ended(*peer, 1));
}

TEST_F(Http2Servers, AClientThatTakesNothingHoldsUpNobody) {
  auto slow = connect(std::string(kHttp2Preface) + settings({{4, 0}}));
  auto quick = connect();
  slow->say(get());
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  quick->say(get());
  ASSERT_TRUE(server->hears(3));
  std::string piece(16'000, 'x');
  server->say(response_head(1));
  for (int i = 0; i < 8; ++i) server->say(data(piece, 1, false));  // nearly its window
  server->say(answer(3, "ok"));
  ASSERT_TRUE(has_ended(*quick, 1));
  EXPECT_EQ(server->windows[1], 0);  // it gets none back before the client has taken it
  slow->say(window_update(1, 200'000) + window_update(0, 200'000));
  ASSERT_TRUE(server->until([&] {
    slow->listen();
    return server->windows[1] > 0;
  }));
  server->say(data("", 1));
  ASSERT_TRUE(has_ended(*slow, 1));
  EXPECT_EQ(slow->streams[1].body.size(), 8 * piece.size());
}

TEST_F(Http2Servers, AWholeResponseOutlivesItsStreamAndItsConnection) {
  const std::string going = frame(Http2Type::goaway, 0, 0, uint32_bytes(1) + uint32_bytes(0));
  for (const std::string& request : {get(), post() + data("abc", 1, false)}) {
    for (const std::string& last : {reset(1, 0), going, frame(Http2Type::ping, 0, 0, "short")}) {
      auto slow = connect(std::string(kHttp2Preface) + settings({{4, 0}}));
      slow->say(request);
      auto server = serve();
      ASSERT_TRUE(server->until([&] { return !server->requests[1].head.empty(); }));
      std::string body(100'000, 'x');
      server->say(response_head(1));
      for (int i = 0; i < 10; ++i) server->say(data(body.substr(0, 10'000), 1, false));
      server->say(headers({{"x-sum", "1"}}) + last + ping());
      server->until([&] { return server->pongs > 0 || server->closed; });
      server->hang_up();
      // Once there is another one lb knows that the first is gone.
      auto quick = connect();
      quick->say(get());
      auto second = serve();
      ASSERT_TRUE(second->hears(1));
      EXPECT_FALSE(slow->streams[1].ended);
      slow->say(window_update(1, 200'000) + window_update(0, 200'000));
      ASSERT_TRUE(slow->until([&] { return slow->streams[1].ended; }));
      EXPECT_EQ(slow->streams[1].body, body);
      EXPECT_EQ(slow->streams[1].trailers, "x-sum: 1\n");
      second->hang_up();
      slow->hang_up();
      quick->hang_up();
      EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
    }
  }
  EXPECT_TRUE(run_until(rig_.loop, [&] { return tools_.servers.empty(); }));
}

TEST_F(Http2Servers, AClientThatLeavesResetsItsStreamAlone) {
  auto peer = connect();
  peer->say(get() + get(3));
  auto server = serve();
  ASSERT_TRUE(server->hears(3));
  peer->say(reset(1));
  ASSERT_TRUE(server->until([&] { return !server->requests[1].reset.empty(); }));
  EXPECT_EQ(server->requests[1].reset, "CANCEL");
  server->say(answer(1, "late") + answer(3, "ok"));
  ASSERT_TRUE(has_ended(*peer, 3));
  EXPECT_EQ(peer->streams[3].body, "ok");
}

TEST_F(Http2Servers, ACallThatIsUnavailableIsTriedAgain) {
  auto peer = connect();
  peer->say(post(1, {{"content-type", "application/grpc"}, {"te", "trailers"}}) + data("call"));
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  server->say(
      response_head(1, {{"content-type", "application/grpc"}, {"grpc-status", "14"}}, kEnds));
  ASSERT_TRUE(server->hears(3));
  EXPECT_EQ(server->requests[3].body, "call");
  server->say(response_head(3, {{"content-type", "application/grpc"}}) + data("reply", 3, false) +
              headers({{"grpc-status", "0"}}, 3));
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].body, "reply");
  EXPECT_EQ(peer->streams[1].trailers, "grpc-status: 0\n");
}

TEST_F(Http2Servers, InACallEitherEndMayBeSilent) {
  listener_->timeouts.request_body = std::chrono::milliseconds(20);
  auto peer = connect();
  auto is_told = [&] {
    peer->listen();
    return peer->streams[1].status != 0 || !peer->streams[1].reset.empty();
  };
  peer->say(post(1, {{"content-type", "application/grpc"}, {"te", "trailers"}}));
  auto server = serve();
  EXPECT_TRUE(stays_away(rig_.loop, is_told, std::chrono::milliseconds(60)));
  server->say(response_head(1, {{"content-type", "application/grpc"}}));
  ASSERT_TRUE(peer->until(is_told));
  EXPECT_TRUE(stays_away(
      rig_.loop,
      [&] {
        peer->listen();
        return !peer->streams[1].reset.empty();
      },
      std::chrono::milliseconds(60)));
  peer->say(data("ask"));
  ASSERT_TRUE(server->hears(1));
}

TEST_F(Http2Servers, TheLastTryOfACallThatIsUnavailableIsItsAnswer) {
  pool_config_->retries.attempts = 1;
  auto peer = connect();
  peer->say(post(1, {{"content-type", "application/grpc"}, {"te", "trailers"}}) + data("call"));
  auto server = serve();
  for (uint32_t id : {1u, 3u}) {
    ASSERT_TRUE(server->hears(id));
    server->say(
        response_head(id, {{"grpc-status", "14"}, {"grpc-message", std::to_string(id)}}, kEnds));
  }
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].status, 200);
  EXPECT_NE(peer->streams[1].fields.find("grpc-message: 3\n"), std::string::npos);
}

TEST_F(Http2Servers, AnIdleConnectionIsLeftInOrder) {
  pool_config_->http.keep_alive = std::chrono::milliseconds(20);
  auto peer = connect();
  peer->say(get());
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  server->say(answer(1, "ok"));
  ASSERT_TRUE(server->until([&] { return server->closed; }));
  EXPECT_EQ(server->goaway, "NO_ERROR");
}

TEST_F(Http2Servers, AClientOfHttp1LearnsWhereAnEmptyResponseEnds) {
  auto peer = connect("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  server->say(response_head(1, {}, kEnds));
  std::string heard;
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(peer->fd().get(), heard);
    return heard.ends_with("\r\n\r\n");
  }));
  EXPECT_NE(heard.find("\r\nContent-Length: 0\r\n"), std::string::npos) << heard;
}

TEST_F(Http2Servers, AClientOfHttp1MayAskThem) {
  auto peer = connect(
      "POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n");
  auto server = serve();
  ASSERT_TRUE(server->hears(1));
  EXPECT_EQ(server->requests[1].body, "abc");
  server->say(answer(1, "ok"));
  std::string heard;
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(peer->fd().get(), heard);
    return heard.ends_with("2\r\nok\r\n0\r\n\r\n");
  })) << heard;
}

}  // namespace
}  // namespace lb
