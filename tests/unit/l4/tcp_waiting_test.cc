// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "common/clock.h"
#include "frontend_rig.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

TEST_F(FrontendTest, AClientWaitsForRoomAndNothingThatItSaysIsLost) {
  members_[0].limit = 1;
  pool_config_->queue.timeout = milliseconds(20'000);
  open();
  Fd first = connect();
  Fd first_server = arrive();
  Fd second = connect();
  ASSERT_TRUE(run_until_sessions(2));
  std::string said(100'000, 'x');
  size_t sent = 0;
  auto say = [&] {
    if (sent < said.size()) sent += send_some(second.get(), said.substr(sent));
  };
  ASSERT_TRUE(run_until(rig_.loop, [&] {
    say();
    return sent == said.size() && servers_.load().line().waiting() == 1;
  }));
  first.reset();
  first_server.reset();
  Fd second_server = arrive();
  std::string got;
  EXPECT_TRUE(run_until(rig_.loop, [&] {
    receive(second_server.get(), got);
    return got == said;
  }));
  EXPECT_TRUE(passes(second_server, second, "answer"));
  EXPECT_EQ(servers_.load().line().waiting(), 0u);
}

TEST_F(FrontendTest, AClientThatGoesWhileItWaitsLeavesTheLine) {
  members_[0].limit = 1;
  pool_config_->queue.timeout = milliseconds(20'000);
  open();
  Fd first = connect();
  Fd first_server = arrive();
  for (bool resets : {false, true}) {
    for (const char* said : {"", "something"}) {
      Fd second = connect();
      send_some(second.get(), said);
      WaitLine& line = servers_.load().line();
      ASSERT_TRUE(run_until(rig_.loop, [&] { return line.waiting() == 1; }));
      if (resets) set_reset_on_close(second.get());
      second.reset();
      EXPECT_TRUE(run_until(rig_.loop, [&] { return line.waiting() == 0; }));
      EXPECT_TRUE(run_until_sessions(1));
    }
  }
  EXPECT_EQ(servers_.active(0), 1u);
}

TEST_F(FrontendTest, WhoHasWaitedTooLongIsReset) {
  members_[0].limit = 1;
  pool_config_->queue.timeout = milliseconds(30);
  open();
  Fd first = connect();
  Fd first_server = arrive();
  int64_t began_ms = monotonic_ms();
  Fd second = connect();
  EXPECT_EQ(end_of(second), -ECONNRESET);
  EXPECT_GE(monotonic_ms(), began_ms + 25);
  EXPECT_EQ(servers_.load().line().waiting(), 0u);
}

TEST_F(FrontendTest, HeldClientsAreServedWhenAServerIsThere) {
  members_[0].status = ServerStatus::unhealthy;
  pool_config_->hold = milliseconds(20'000);
  open();
  std::vector<Fd> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(connect());
  ASSERT_TRUE(
      run_until(rig_.loop, [&] { return servers_.load().line().waiting() == clients.size(); }));
  members_[0].status = ServerStatus::healthy;
  FrontendPlan next = plan();
  frontend_->update(next);
  next.pool->let_waiters_try();
  std::vector<Fd> accepted;
  EXPECT_TRUE(run_until(rig_.loop, [&] {
    if (Fd fd = server_.try_accept()) accepted.push_back(std::move(fd));
    return accepted.size() == clients.size();
  })) << "none of them says a word, and each lets others go on";
  EXPECT_EQ(servers_.load().line().waiting(), 0u);
}

}  // namespace
}  // namespace lb
