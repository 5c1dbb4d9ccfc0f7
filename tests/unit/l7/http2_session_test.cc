// SPDX-License-Identifier: MIT
// Http2Session between a client of raw frames and servers that the test plays: what becomes of
// requests and responses, and how streams share a connection.
#include "l7/http2_session.h"

#include <gtest/gtest.h>

#include "http2_rig.h"

namespace lb {
namespace {

class Http2SessionTest : public Http2Test {
 protected:
  Http2SessionTest() { add_server(); }

  bool has_ended(Http2Peer& peer, uint32_t id) {
    return peer.until([&] { return peer.streams[id].ended || !peer.streams[id].reset.empty(); });
  }
  uint64_t ended(CloseReason reason) {
    return frontend_->cell().ended[static_cast<size_t>(reason)].read();
  }
};

TEST_F(Http2SessionTest, ARequestIsOneOfHttp1AndItsAnswerComesBack) {
  auto peer = connect();
  peer->say(headers({{":method", "POST"},
                     {":scheme", "http"},
                     {":path", "/x?y=z"},
                     {":authority", "a.example"},
                     {"cookie", "a=1"},
                     {"cookie", "b=2"},
                     {"x-mine", "yes"},
                     {"te", "trailers"},
                     {"content-length", "3"}},
                    1, kGoesOn) +
            data("abc"));
  Fd server = arrive();
  std::string heard = hears(server, 3);
  EXPECT_TRUE(heard.starts_with("POST /x?y=z HTTP/1.1\r\nHost: a.example\r\nx-mine: yes\r\n"))
      << heard;
  for (const char* line : {"\r\ncookie: a=1; b=2\r\n", "\r\nVia: 2.0 lb\r\n",
                           "\r\nContent-Length: 3\r\n", "\r\nX-Forwarded-Proto: http\r\n"}) {
    EXPECT_NE(heard.find(line), std::string::npos) << line;
  }
  EXPECT_TRUE(heard.ends_with("\r\n\r\nabc"));
  says(server,
       "HTTP/1.1 201 Made\r\nX-Mine: Yes\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n"
       "Content-Length: 2\r\n\r\nok");
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].status, 201);
  EXPECT_EQ(peer->streams[1].fields, "x-mine: Yes\ncontent-length: 2\n");
  EXPECT_EQ(peer->streams[1].body, "ok");
  EXPECT_EQ(peer->seen, "1:201");
  EXPECT_EQ(kept(), 1u);
}

TEST_F(Http2SessionTest, ABodyWithoutALengthIsChunkedAndTrailersPassBothWays) {
  auto peer = connect();
  peer->say(post() + data("abc", 1, false) + data("de", 1, false) + headers({{"x-sum", "5"}}));
  Fd server = arrive();
  std::string heard;
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(server.get(), heard);
    return heard.ends_with("x-sum: 5\r\n\r\n");
  })) << heard;
  EXPECT_NE(heard.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_NE(heard.find("abc"), std::string::npos);
  says(server,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\nX-Sum: 3\r\n\r\n");
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].body, "xyz");
  EXPECT_EQ(peer->streams[1].trailers, "x-sum: 3\n");
}

TEST_F(Http2SessionTest, HeadsWithoutABodyEndTheirStreams) {
  struct Row {
    const char* method;
    const char* response;
    const char* fields;
  };
  auto peer = connect();
  uint32_t id = 1;
  Fd server;
  for (const Row& row : {Row{"HEAD", "200 OK\r\nContent-Length: 5", "content-length: 5\n"},
                         Row{"GET", "204 No Content", ""},
                         Row{"GET", "304 Not Modified\r\nETag: \"x\"", "etag: \"x\"\n"},
                         Row{"GET", "200 OK\r\nContent-Length: 0", "content-length: 0\n"}}) {
    peer->say(headers(request_fields({}, row.method), id));
    peer->settle();
    if (!server) server = arrive();
    hears(server);
    says(server, std::string("HTTP/1.1 ") + row.response + "\r\n\r\n");
    ASSERT_TRUE(has_ended(*peer, id)) << row.response;
    EXPECT_EQ(peer->streams[id].fields, row.fields);
    id += 2;
  }
  EXPECT_EQ(peer->data_frames, 0u);
}

TEST_F(Http2SessionTest, ARefusalOfAHeadHasNoBody) {
  auto peer = connect();
  WireFields fields = request_fields({}, "HEAD");
  fields[2].second = std::string("/").append(9'000, 'a');
  peer->say(headers(fields));
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->seen, "1:414");
  EXPECT_NE(peer->streams[1].fields.find("content-length: "), std::string::npos);
  EXPECT_EQ(peer->streams[1].body, "");
}

TEST_F(Http2SessionTest, InterimResponsesPass) {
  auto peer = connect();
  peer->say(post(1, {{"expect", "100-continue"}, {"content-length", "1"}}));
  Fd server = arrive();
  EXPECT_NE(hears(server).find("expect: 100-continue"), std::string::npos);
  says(server, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(peer->until([&] { return peer->interims.size() == 2; }));
  EXPECT_EQ(peer->interims, (std::vector<int>{103, 100}));
  peer->say(data("x"));
  std::string body;
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(server.get(), body);
    return body == "x";
  }));
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].status, 200);
}

TEST_F(Http2SessionTest, ACutResponseIsNeverAWholeOne) {
  pool_config_->http.keep_alive_connections = 0;
  for (const char* response : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    auto peer = connect();
    peer->say(get() + get(3));
    Fd first = arrive();
    Fd second = arrive();
    hears(first);
    hears(second);
    says(first, response);
    first.reset();
    ASSERT_TRUE(has_ended(*peer, 1));
    if (peer->streams[1].status == 200) {
      EXPECT_EQ(peer->streams[1].reset, "INTERNAL_ERROR");
      EXPECT_FALSE(peer->streams[1].ended);
    } else {
      EXPECT_EQ(peer->streams[1].status, 502);
    }
    says(second, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ASSERT_TRUE(has_ended(*peer, 3));
    EXPECT_EQ(peer->streams[3].body, "ok");
  }
}

TEST_F(Http2SessionTest, StreamsAreAnsweredInTheOrderOfTheirServers) {
  auto peer = connect();
  peer->say(get() + get(3));
  Fd first = arrive();
  Fd second = arrive();
  hears(first);
  hears(second);
  says(second, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb");
  ASSERT_TRUE(peer->until([&] { return peer->streams[1].ended || peer->streams[3].ended; }));
  says(first, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  ASSERT_TRUE(peer->until([&] { return peer->streams[1].ended && peer->streams[3].ended; }));
  EXPECT_EQ(peer->streams[1].body.size() + peer->streams[3].body.size(), 2u);
}

TEST_F(Http2SessionTest, ABodyGoesAsFarAsItsWindow) {
  auto peer = connect(std::string(kHttp2Preface) + settings({{4, 10}}));
  peer->say(get());
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n0123456789abcdefghij12345");
  ASSERT_TRUE(peer->until([&] { return !peer->streams[1].body.empty(); }));
  peer->settle();
  EXPECT_EQ(peer->streams[1].body, "0123456789");
  peer->say(window_update(1, 4));
  peer->settle();
  EXPECT_EQ(peer->streams[1].body, "0123456789abcd");
  peer->say(settings({{4, 20}}));
  peer->settle();
  EXPECT_EQ(peer->streams[1].body, "0123456789abcdefghij1234");
  EXPECT_FALSE(peer->streams[1].ended);
  peer->say(window_update(1, 1));
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].body, "0123456789abcdefghij12345");
}

TEST_F(Http2SessionTest, AWindowMayBecomeLessThanNothing) {
  auto peer = connect(std::string(kHttp2Preface) + settings({{4, 10}}));
  peer->say(get());
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789abcdefghij");
  ASSERT_TRUE(peer->until([&] { return peer->streams[1].body.size() == 10; }));
  peer->say(settings({{4, 3}}) + window_update(1, 7));
  peer->settle();
  EXPECT_EQ(peer->streams[1].body.size(), 10u);
  peer->say(window_update(1, 10));
  ASSERT_TRUE(has_ended(*peer, 1));
}

TEST_F(Http2SessionTest, AStalledStreamLeavesTheOthersTheirTurn) {
  auto peer = connect(std::string(kHttp2Preface) + settings({{4, 0}}));
  peer->say(get());
  Fd stalled = arrive();
  hears(stalled);
  says(stalled, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1'000, 'x'));
  peer->say(get(3) + window_update(3, 100));
  Fd other = arrive();
  hears(other);
  says(other, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(has_ended(*peer, 3));
  EXPECT_EQ(peer->streams[1].body, "");
  peer->say(window_update(1, 1'000));
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].body.size(), 1'000u);
}

TEST_F(Http2SessionTest, OfAResponseThatIsNotTakenLittleIsRead) {
  auto peer = connect(std::string(kHttp2Preface) + settings({{4, 0}}));
  peer->say(get());
  Fd server = arrive();
  hears(server);
  int small = 8 * 1024;
  setsockopt(server.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  std::string body(8 * 1024 * 1024, 'x');
  std::string unsent = "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + body;
  size_t all = unsent.size();
  auto write = [&] {
    ssize_t sent = send(server.get(), unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) unsent.erase(0, static_cast<size_t>(sent));
  };
  write();
  ASSERT_TRUE(peer->until([&] { return peer->streams[1].status == 200; }));
  for (int i = 0; i < 50; ++i) {
    write();
    peer->settle();
  }
  // What the kernel holds of it is the kernel's affair; it is far less than all.
  EXPECT_LT(all - unsent.size(), all / 2);
  peer->say(window_update(1, 16 * 1024 * 1024) + window_update(0, 16 * 1024 * 1024));
  ASSERT_TRUE(peer->until([&] {
    write();
    return peer->streams[1].ended;
  }));
  EXPECT_EQ(peer->streams[1].body, body);
}

// More than may wait for the socket, which then takes it all at once.
TEST_F(Http2SessionTest, ABacklogThatGoesAtOnceIsFollowedByMoreRequests) {
  route().pools.clear();
  route().respond = HttpRespond{200, "", {{"x-big", std::string(7'000, 'x')}}};
  auto peer = connect(opening(), 1 << 20);
  peer->settle();
  std::string many;
  for (uint32_t id = 1; id < 90; id += 2) many += get(id);
  peer->say(many);
  ASSERT_TRUE(has_ended(*peer, 89));
  peer->say(get(91));
  EXPECT_TRUE(has_ended(*peer, 91));
}

TEST_F(Http2SessionTest, BodiesOfManyStreamsShareTheConnectionInTurn) {
  auto peer = connect();
  peer->say(window_update(0, 1 << 20));
  constexpr uint32_t kStreams = 4;
  std::vector<Fd> servers;
  for (uint32_t i = 0; i < kStreams; ++i) {
    peer->say(get(2 * i + 1));
    servers.push_back(arrive());
    hears(servers.back());
  }
  std::string body(60'000, 'x');
  for (Fd& server : servers) {
    says(server, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + body);
  }
  ASSERT_TRUE(peer->until([&] {
    for (uint32_t i = 0; i < kStreams; ++i) {
      if (!peer->streams[2 * i + 1].ended) return false;
    }
    return true;
  }));
  for (uint32_t i = 0; i < kStreams; ++i) EXPECT_EQ(peer->streams[2 * i + 1].body, body);
}

TEST_F(Http2SessionTest, AnUploadGetsItsWindowBackAsItIsTaken) {
  auto peer = connect();
  constexpr size_t kSize = 2 * 1024 * 1024;
  peer->say(post(1, {{"content-length", std::to_string(kSize)}}));
  Fd server = arrive();
  std::string heard = hears(server);
  heard.erase(0, heard.find("\r\n\r\n") + 4);
  int64_t window = Http2Session::kStreamWindow;
  int64_t all = Http2Session::kConnectionWindow;
  size_t sent = 0;
  ASSERT_TRUE(peer->until([&] {
    receive(server.get(), heard);
    int64_t room = std::min(window + peer->windows[1],
                            all + peer->windows[0] - (Http2Session::kConnectionWindow - 65'535));
    while (sent < kSize && static_cast<int64_t>(sent + 16'384) <= room) {
      peer->say(data(std::string(16'384, static_cast<char>('a' + sent / 16'384 % 26)), 1,
                     sent + 16'384 == kSize));
      sent += 16'384;
    }
    return heard.size() == kSize;
  })) << sent
      << " " << heard.size();
  for (size_t i = 0; i < kSize; i += 16'384) {
    ASSERT_EQ(heard[i], static_cast<char>('a' + i / 16'384 % 26));
  }
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(has_ended(*peer, 1));
}

// While it waits for a server its request's body is not taken, so its window stays used up.
TEST_F(Http2SessionTest, MoreThanItsWindowEndsAStream) {
  members_[0].status = ServerStatus::unhealthy;
  pool_config_->hold = std::chrono::seconds(30);
  auto peer = connect();
  std::string body;
  for (int i = 0; i < 24; ++i) body += data(std::string(16'384, 'x'), 1, false);
  peer->say(post() + body);
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->seen, "RST 1 FLOW_CONTROL_ERROR");
  EXPECT_TRUE(peer->settle());
  EXPECT_FALSE(peer->closed);
}

TEST_F(Http2SessionTest, AnEarlyAnswerEndsTheUpload) {
  listener_->http.limits.max_body_size = 10;
  auto peer = connect();
  peer->say(post() + data("0123456789a", 1, false));
  ASSERT_TRUE(peer->until([&] { return !peer->streams[1].reset.empty(); }));
  EXPECT_EQ(peer->seen, "1:413, RST 1 NO_ERROR");
  peer->say(data("more", 1, true));
  EXPECT_TRUE(peer->settle());
  EXPECT_FALSE(peer->closed);
}

TEST_F(Http2SessionTest, MoreStreamsThanThereMayBeAreRefused) {
  listener_->http.limits.max_streams = 2;
  auto peer = connect();
  peer->say(get() + get(3) + get(5));
  Fd first = arrive();
  Fd second = arrive();
  hears(first);
  hears(second);
  ASSERT_TRUE(peer->settle());
  EXPECT_EQ(peer->their_settings[Http2Setting::max_concurrent_streams], 2u);
  EXPECT_EQ(peer->seen, "RST 5 REFUSED_STREAM");
  says(first, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  says(second, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(has_ended(*peer, 1) && has_ended(*peer, 3));
  peer->say(get(7));
  peer->settle();
  EXPECT_EQ(peer->streams[7].reset, "");
}

TEST_F(Http2SessionTest, AWebSocketPasses) {
  auto peer = connect();
  peer->say(headers({{":method", "CONNECT"},
                     {":protocol", "websocket"},
                     {":scheme", "http"},
                     {":path", "/chat"},
                     {":authority", "a.example"},
                     {"sec-websocket-version", "13"}},
                    1, kGoesOn) +
            data("early", 1, false));
  Fd server = arrive();
  std::string heard = hears(server);
  EXPECT_TRUE(heard.starts_with("GET /chat HTTP/1.1\r\n")) << heard;
  EXPECT_NE(heard.find("Connection: upgrade\r\nUpgrade: websocket\r\n"), std::string::npos);
  EXPECT_NE(heard.find("==\r\n", heard.find("Sec-WebSocket-Key: ")), std::string::npos);
  ASSERT_TRUE(peer->settle());
  EXPECT_EQ(peer->their_settings[Http2Setting::enable_connect_protocol], 1u);
  says(server,
       "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello");
  ASSERT_TRUE(peer->until([&] { return peer->streams[1].body == "hello"; }));
  EXPECT_EQ(peer->streams[1].status, 200);
  EXPECT_EQ(peer->streams[1].fields, "sec-websocket-protocol: chat\n");
  std::string said;
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(server.get(), said);
    return said == "early";
  }));
  peer->say(data(" and late"));
  ASSERT_TRUE(run_until(rig_.loop, [&] { return receive(server.get(), said) == 0; }));
  EXPECT_EQ(said, "early and late");
  server.reset();
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_TRUE(peer->streams[1].ended);
}

TEST_F(Http2SessionTest, AClientThatGivesUpEndsItsExchange) {
  auto peer = connect();
  peer->say(get() + get(3));
  Fd first = arrive();
  Fd second = arrive();
  hears(first);
  hears(second);
  peer->say(reset(1));
  EXPECT_EQ(end_of(first), 0);
  peer->hang_up();
  EXPECT_EQ(end_of(second), 0);
  EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
}

TEST_F(Http2SessionTest, AServerThatGoesIsLeft) {
  auto peer = connect();
  peer->say(post() + data("x"));
  Fd server = arrive();
  hears(server);
  frontend_->leave_server(members_[0].server, CloseReason::server_removed);
  ASSERT_TRUE(has_ended(*peer, 1));
  EXPECT_EQ(peer->streams[1].status, 502);
}

TEST_F(Http2SessionTest, BothProtocolsAreSpokenInClear) {
  auto peer = connect("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  std::string heard;
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(peer->fd().get(), heard);
    return heard.ends_with("\r\n\r\nok");
  }));
  // Once it is HTTP/1 it stays that.
  peer->say(opening());
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    receive(peer->fd().get(), heard);
    return heard.find("HTTP/1.1 400 ") != std::string::npos;
  }));
}

}  // namespace
}  // namespace lb
