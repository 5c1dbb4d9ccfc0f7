// SPDX-License-Identifier: MIT
// How HTTP/2 connections and their streams end: time limits, a listener that goes, a client that
// takes nothing.
#include <gtest/gtest.h>

#include "http2_rig.h"
#include "l7/http2_session.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

class Http2Ends : public Http2Test {
 protected:
  Http2Ends() { add_server(); }

  bool ends(Http2Peer& peer) {
    return peer.until([&] { return peer.closed; });
  }
};

TEST_F(Http2Ends, AnIdleConnection) {
  listener_->timeouts.keep_alive = milliseconds(20);
  auto peer = connect();
  ASSERT_TRUE(ends(*peer));
  EXPECT_EQ(peer->seen, "GOAWAY NO_ERROR");
}

TEST_F(Http2Ends, OneThatSaysNothing) {
  listener_->timeouts.request_header = milliseconds(20);
  auto peer = connect(std::string(kHttp2Preface).substr(0, 18));
  ASSERT_TRUE(ends(*peer));
  EXPECT_EQ(peer->seen, "GOAWAY ENHANCE_YOUR_CALM");
}

TEST_F(Http2Ends, AHeadThatNeverIsComplete) {
  listener_->timeouts.request_header = milliseconds(20);
  auto peer = connect();
  peer->say(frame(Http2Type::headers, Http2Flag::kEndStream, 1, block(request_fields())));
  ASSERT_TRUE(ends(*peer));
  EXPECT_EQ(peer->seen, "GOAWAY ENHANCE_YOUR_CALM");
}

TEST_F(Http2Ends, ABodyThatNeverComes) {
  listener_->timeouts.request_body = milliseconds(20);
  auto peer = connect();
  peer->say(post());
  ASSERT_TRUE(peer->until([&] { return !peer->streams[1].reset.empty(); }));
  EXPECT_EQ(peer->seen, "1:408, RST 1 NO_ERROR");
  EXPECT_TRUE(peer->settle());
  EXPECT_FALSE(peer->closed);
}

// Its time is up anew when it may send again, whenever somebody else's is.
TEST_F(Http2Ends, ABodyThatHadToWaitIsNotLateForIt) {
  constexpr milliseconds kLimit(200);
  listener_->timeouts.request_body = kLimit;
  members_[0].limit = 1;
  pool_config_->queue.timeout = std::chrono::seconds(30);
  auto peer = connect();
  peer->say(get());
  Fd server = arrive();
  hears(server);
  peer->say(post(3));
  for (int i = 0; i < 4; ++i) peer->say(data(std::string(16'384, 'x'), 3, false));
  peer->settle();
  int64_t paused_ms = monotonic_ms();
  run_until(rig_.loop, [&] { return monotonic_ms() > paused_ms + kLimit.count(); });
  peer->say(post(5));
  peer->settle();
  int64_t late_ms = monotonic_ms();
  run_until(rig_.loop, [&] { return monotonic_ms() > late_ms + kLimit.count() / 2; });
  int64_t resumed_ms = monotonic_ms();
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(peer->until([&] { return peer->streams[3].status != 0; }));
  EXPECT_EQ(peer->streams[3].status, 408);
  EXPECT_GE(monotonic_ms(), resumed_ms + kLimit.count());
}

// A window that others hold is no fault of a body that has no room in it.
TEST_F(Http2Ends, ABodyWithoutRoomIsNotLate) {
  listener_->timeouts.request_body = std::chrono::seconds(1);
  members_[0].status = ServerStatus::unhealthy;
  pool_config_->hold = std::chrono::seconds(30);
  auto peer = connect();
  constexpr int64_t kPiece = 16'384;
  int64_t left = Http2Session::kConnectionWindow;
  int64_t at_first = left - kHttp2FirstWindow;
  uint32_t id = 1;
  while (left >= kPiece) {
    ASSERT_LT(id, 30u);
    peer->say(post(id));
    for (int64_t sent = 0; sent < Http2Session::kStreamWindow && left >= kPiece; sent += kPiece) {
      peer->say(data(std::string(kPiece, 'x'), id, false));
      peer->settle();
      left += std::exchange(peer->windows[0], 0) - std::exchange(at_first, 0) - kPiece;
    }
    id += 2;
  }
  EXPECT_GT(id, 9u);  // some of what was taken of the first four came back
  peer->say(post(id));
  EXPECT_TRUE(stays_away(
      rig_.loop,
      [&] {
        peer->listen();
        return peer->streams[id].status != 0;
      },
      milliseconds(1'200)));
}

TEST_F(Http2Ends, AStreamThatTakesNothing) {
  listener_->timeouts.send = milliseconds(20);
  auto peer = connect(std::string(kHttp2Preface) + settings({{4, 0}}));
  peer->say(get());
  Fd server = arrive();
  hears(server);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(peer->until([&] { return !peer->streams[1].reset.empty(); }));
  EXPECT_EQ(peer->seen, "RST 1 CANCEL");
  EXPECT_TRUE(peer->settle());
  EXPECT_FALSE(peer->closed);
}

TEST_F(Http2Ends, AConnectionThatTakesNothing) {
  listener_->timeouts.send = milliseconds(20);
  auto peer = connect();
  int small = 4 * 1024;
  setsockopt(peer->fd().get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  peer->say(window_update(0, 1 << 30) + settings({{4, 1 << 30}}) + get());
  Fd server = arrive();
  hears(server);
  std::string body(4 * 1024 * 1024, 'x');
  std::string unsent = "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n" + body;
  EXPECT_TRUE(run_until(rig_.loop, [&] {
    ssize_t sent = send(server.get(), unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) unsent.erase(0, static_cast<size_t>(sent));
    return frontend_->session_count() == 0;
  }));
}

TEST_F(Http2Ends, AListenerThatGoesLetsRequestsFinish) {
  auto peer = connect();
  peer->say(get());
  Fd first = arrive();
  hears(first);
  frontend_->stop_accepting();
  ASSERT_TRUE(peer->until([&] { return !peer->pings.empty(); }));
  EXPECT_EQ(peer->last_stream, kHttp2MaxStream);
  // It has not heard of it yet.
  peer->say(get(3));
  Fd second = arrive();
  hears(second);
  peer->say(frame(Http2Type::ping, Http2Flag::kAck, 0, peer->pings.front()));
  peer->settle();
  EXPECT_EQ(peer->seen, "GOAWAY NO_ERROR, GOAWAY NO_ERROR");
  EXPECT_EQ(peer->last_stream, 3u);
  peer->say(get(5));
  peer->settle();
  EXPECT_EQ(peer->streams[5].reset, "REFUSED_STREAM");
  says(first, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  ASSERT_TRUE(peer->until([&] { return peer->streams[1].ended; }));
  EXPECT_FALSE(peer->closed);
  says(second, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb");
  ASSERT_TRUE(ends(*peer));
  EXPECT_TRUE(peer->streams[3].ended);
}

TEST_F(Http2Ends, AListenerThatGoesTellsWhomeverBeginsThen) {
  auto peer = connect(std::string(kHttp2Preface).substr(0, 10));
  frontend_->stop_accepting();
  peer->say(std::string(kHttp2Preface).substr(10) + settings());
  ASSERT_TRUE(peer->until([&] { return !peer->pings.empty(); }));
  EXPECT_EQ(peer->last_stream, kHttp2MaxStream);
  EXPECT_FALSE(peer->closed);
}

TEST_F(Http2Ends, AListenerThatGoesClosesIdleConnections) {
  auto peer = connect();
  peer->settle();
  frontend_->stop_accepting();
  ASSERT_TRUE(peer->until([&] { return !peer->pings.empty(); }));
  peer->say(frame(Http2Type::ping, Http2Flag::kAck, 0, peer->pings.front()));
  ASSERT_TRUE(ends(*peer));
  peer->hang_up();
  EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
}

TEST_F(Http2Ends, AClientThatGoes) {
  auto peer = connect();
  peer->say(get());
  Fd server = arrive();
  hears(server);
  peer->say(frame(Http2Type::goaway, 0, 0, std::string(8, '\0')));
  peer->settle();
  EXPECT_FALSE(peer->closed);
  says(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  ASSERT_TRUE(ends(*peer));
  EXPECT_EQ(peer->seen, "1:200");
}

TEST_F(Http2Ends, EverythingEndsWithItsFrontend) {
  auto peer = connect();
  peer->say(get() + post(3) + data("x", 3, false));
  Fd first = arrive();
  Fd second = arrive();
  hears(first);
  frontend_->end_sessions(CloseReason::shutting_down);
  EXPECT_EQ(frontend_->session_count(), 0u);
  EXPECT_EQ(end_of(first), 0);
  ASSERT_TRUE(ends(*peer));
}

}  // namespace
}  // namespace lb
