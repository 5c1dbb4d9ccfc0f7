// SPDX-License-Identifier: MIT
#include "admin/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../loopback.h"

namespace lb::admin {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Answers with the body it was sent, or keeps the answer for later; refuses /no.
class Echo final : public HttpHandler {
 public:
  std::optional<HttpResponse> refuse(const HttpRequest& head) override {
    if (head.path != "/no") return {};
    return error(403, "no");
  }
  void handle(const HttpRequest& request, const Answer& answer) override {
    ++requests;
    if (request.path == "/later") {
      later.push_back(answer);
    } else if (request.path == "/open") {
      open.push_back(answer.open({.content_type = "text/event-stream", .body = "first\n"}));
    } else if (request.path == "/large") {
      answer.send({.body = std::string(8'000'000, 'x')});
    } else {
      answer.send({.body = request.path + request.body});
    }
  }
  HttpResponse error(int status, std::string_view message) override {
    return {.status = status, .body = "error: " + std::string(message)};
  }

  int requests = 0;
  std::vector<Answer> later;
  std::vector<OpenAnswer> open;
};

class HttpServerTest : public testing::Test {
 protected:
  void start(const HttpLimits& limits = {}) {
    Fd fd = listen_stream(*Address::parse("127.0.0.1:0"), {}).value();
    address_ = local_address(fd.get());
    server_.emplace(loop_, std::move(fd), echo_, limits);
  }
  Fd client() const { return connect_to(address_); }
  // Until the server has so many.
  bool connections(size_t count) {
    return run_until(loop_, [&] { return server_->connections() == count; });
  }
  static std::string get(const std::string& path, const std::string& fields = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  }
  // What the server says until it ends the connection or `end` has come.
  std::string hear(const Fd& fd, const std::string& end = "") {
    std::string heard;
    bool is_done = run_until(loop_, [&] {
      int ended = receive(fd.get(), heard);
      closed_ = ended != -EAGAIN;
      return closed_ || (!end.empty() && heard.ends_with(end));
    });
    EXPECT_TRUE(is_done) << heard;
    return heard;
  }
  std::string say(const Fd& fd, const std::string& bytes, const std::string& end = "") {
    send_some(fd.get(), bytes);
    return hear(fd, end);
  }

  EventLoop loop_;
  Address address_;
  Echo echo_;
  std::optional<HttpServer> server_;
  bool closed_ = false;
};

TEST_F(HttpServerTest, AnswersOneRequestAfterAnother) {
  start();
  Fd fd = client();
  EXPECT_THAT(say(fd, get("/a"), "/a"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(say(fd, get("/b", "Content-Length: 3\r\n") + "xyz", "/bxyz"), HasSubstr("200 OK"));
  EXPECT_FALSE(closed_);
}

TEST_F(HttpServerTest, AnswersRequestsThatComeTogetherOneByOne) {
  start();
  Fd fd = client();
  std::string heard = say(fd, get("/a") + get("/b") + get("/c", "Connection: close\r\n"));
  EXPECT_LT(heard.find("/a"), heard.find("/b"));
  EXPECT_THAT(heard, EndsWith("/c"));
  EXPECT_TRUE(closed_);
  EXPECT_EQ(echo_.requests, 3);
}

TEST_F(HttpServerTest, TakesARequestInSmallPieces) {
  start();
  Fd fd = client();
  std::string bytes = get("/a", "Content-Length: 5\r\n") + "hello";
  for (char c : bytes) {
    send_some(fd.get(), std::string(1, c));
    loop_.run_turn(false);
  }
  EXPECT_THAT(hear(fd, "/ahello"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, AClientThatAsksIsToldToGoOn) {
  start();
  Fd fd = client();
  std::string heard =
      say(fd, get("/a", "Content-Length: 2\r\nExpect: 100-continue\r\n"), "\r\n\r\n");
  EXPECT_EQ(heard, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(say(fd, "hi", "/ahi"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, ALateAnswerFindsItsClient) {
  start();
  Fd first = client();
  Fd second = client();
  send_some(first.get(), get("/later"));
  send_some(second.get(), get("/later"));
  ASSERT_TRUE(run_until(loop_, [&] { return echo_.later.size() == 2; }));
  second.reset();
  echo_.later[1].send({.body = "nobody"});
  echo_.later[0].send({.body = "somebody"});
  echo_.later[0].send({.body = "twice"});
  EXPECT_THAT(hear(first, "somebody"), HasSubstr("200 OK"));
  EXPECT_TRUE(connections(1));
}

TEST_F(HttpServerTest, AnAnswerMayOutliveTheServer) {
  start();
  Fd fd = client();
  send_some(fd.get(), get("/later"));
  ASSERT_TRUE(run_until(loop_, [&] { return echo_.later.size() == 1; }));
  server_.reset();
  echo_.later[0].send({});
}

TEST_F(HttpServerTest, AHeadOnlyRequestGetsNoBody) {
  start();
  Fd fd = client();
  std::string heard = say(fd, "HEAD /abc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(heard, HasSubstr("Content-Length: 4\r\n"));
  EXPECT_THAT(heard, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, WhatIsNotUnderstoodIsAnsweredAndEndsTheConnection) {
  struct Row {
    std::string bytes;
    std::string status;
  };
  const Row rows[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
      {std::string("\x16\x03\x01\x02\x00\x01\n\n", 8), "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\n\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nA: " + std::string(20'000, 'a'), "HTTP/1.1 431 "},
      {std::string(20'000, 'a'), "HTTP/1.1 431 "},
      {get("/", "Content-Length: 1048577\r\n"), "HTTP/1.1 413 "},
      {get("/", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", "HTTP/1.1 411 "},
      {get("/no", "Content-Length: 10\r\n"), "HTTP/1.1 403 "},
  };
  start();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.bytes.substr(0, 80));
    Fd fd = client();
    std::string heard = say(fd, row.bytes);
    EXPECT_THAT(heard, StartsWith(row.status));
    EXPECT_THAT(heard, HasSubstr("error: "));
  }
  EXPECT_EQ(echo_.requests, 0);
}

TEST_F(HttpServerTest, ARefusalWithoutABodyKeepsTheConnection) {
  start();
  Fd fd = client();
  EXPECT_THAT(say(fd, get("/no"), "no"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(say(fd, get("/a"), "/a"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, ARefusalIsNotLostToABodyThatStillComes) {
  start();
  Fd fd = client();
  send_some(fd.get(), get("/no", "Content-Length: 900000\r\n"));
  std::string body(900'000, 'x');
  size_t sent = 0;
  std::string heard;
  EXPECT_TRUE(run_until(loop_, [&] {
    sent += send_some(fd.get(), std::string_view(body).substr(sent));
    return receive(fd.get(), heard) == 0;
  }));
  EXPECT_THAT(heard, StartsWith("HTTP/1.1 403 "));
}

TEST_F(HttpServerTest, ARequestThatDripsInEnds) {
  start({.request = milliseconds(50)});
  Fd fd = client();
  EXPECT_THAT(say(fd, "GET / HTTP/1.1\r\nHost:"), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, ABodyThatDoesNotComeEnds) {
  start({.request = milliseconds(50)});
  Fd fd = client();
  EXPECT_THAT(say(fd, get("/", "Content-Length: 10\r\n") + "x"), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, ARequestThatItsClientCutsOffIsAnswered) {
  start();
  for (const std::string& cut :
       {std::string("GET / HTTP/1.1\r\nHost:"), get("/", "Content-Length: 10\r\n") + "123456789"}) {
    Fd fd = client();
    send_some(fd.get(), cut);
    shutdown(fd.get(), SHUT_WR);
    EXPECT_THAT(hear(fd), StartsWith("HTTP/1.1 400 ")) << cut;
  }
  EXPECT_EQ(echo_.requests, 0);
}

TEST_F(HttpServerTest, AConnectionWithoutARequestEndsInSilence) {
  start({.request = milliseconds(20)});
  Fd fd = client();
  EXPECT_EQ(hear(fd), "");
}

TEST_F(HttpServerTest, AnIdleConnectionEnds) {
  start({.idle = milliseconds(20)});
  Fd fd = client();
  EXPECT_THAT(say(fd, get("/a")), EndsWith("/a"));
  EXPECT_TRUE(closed_);
}

TEST_F(HttpServerTest, AClientThatReadsNothingEnds) {
  start({.response = milliseconds(50)});
  Fd fd = client();
  send_some(fd.get(), get("/large"));
  EXPECT_TRUE(run_until(loop_, [&] { return echo_.requests == 1; }));
  EXPECT_TRUE(connections(0));
}

TEST_F(HttpServerTest, ALargeAnswerArrivesWhole) {
  start();
  Fd fd = client();
  std::string heard = say(fd, get("/large", "Connection: close\r\n"));
  EXPECT_THAT(heard.size(), testing::Gt(8'000'000U));
}

TEST_F(HttpServerTest, AClientThatGoesAwayLeavesNothing) {
  start();
  {
    Fd fd = client();
    send_some(fd.get(), "GET / HT");
    ASSERT_TRUE(connections(1));
  }
  EXPECT_TRUE(connections(0));
}

TEST_F(HttpServerTest, ANewClientTakesThePlaceOfTheOldestThatWaits) {
  start({.connections = 3});
  Fd busy = client();
  send_some(busy.get(), get("/later"));
  ASSERT_TRUE(run_until(loop_, [&] { return echo_.later.size() == 1; }));
  Fd oldest = client();
  Fd other = client();
  ASSERT_TRUE(connections(3));
  Fd late = connect_to(address_);
  EXPECT_THAT(say(late, get("/late"), "/late"), HasSubstr("200 OK"));
  EXPECT_EQ(server_->connections(), 3U);
  EXPECT_EQ(hear(oldest), "");
  EXPECT_THAT(say(other, get("/other"), "/other"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, WhenAllAreBusyANewClientIsTurnedAway) {
  start({.connections = 1});
  Fd busy = client();
  send_some(busy.get(), get("/later"));
  ASSERT_TRUE(run_until(loop_, [&] { return echo_.later.size() == 1; }));
  Fd late = connect_to(address_);
  EXPECT_EQ(hear(late), "");
  echo_.later[0].send({.body = "done"});
  EXPECT_THAT(hear(busy, "done"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, AnOpenAnswerGoesOnUntilTheClientIsGone) {
  start();
  {
    Fd fd = client();
    std::string heard = say(fd, get("/open"), "first\n");
    EXPECT_THAT(heard, HasSubstr("Content-Type: text/event-stream\r\n"));
    EXPECT_THAT(heard, testing::Not(HasSubstr("Content-Length")));
    EXPECT_TRUE(echo_.open[0].write("second\n"));
    EXPECT_EQ(hear(fd, "second\n"), "second\n");
  }
  EXPECT_TRUE(connections(0));
  EXPECT_FALSE(echo_.open[0].write("third\n"));
}

TEST_F(HttpServerTest, AnOpenAnswerThatNobodyReadsIsGivenUp) {
  start({.behind_bytes = 100'000});
  Fd fd = client();
  send_some(fd.get(), get("/open"));
  ASSERT_TRUE(run_until(loop_, [&] { return echo_.open.size() == 1; }));
  const std::string much(50'000, 'x');
  int written = 0;
  while (written < 1'000 && echo_.open[0].write(much)) ++written;
  EXPECT_LT(written, 1'000);
  EXPECT_TRUE(connections(0));
}

TEST_F(HttpServerTest, AcceptsAgainWhenThereAreDescriptors) {
  start();
  Fd fd = connect_to(address_);
  {
    NoDescriptors none;
    for (int i = 0; i < 3; ++i) loop_.run_turn(false);
  }
  EXPECT_THAT(say(fd, get("/a"), "/a"), HasSubstr("200 OK"));
}

}  // namespace
}  // namespace lb::admin
