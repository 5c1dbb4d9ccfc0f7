// SPDX-License-Identifier: MIT
#include "net/late_resets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "../loopback.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

// A connection whose receiver has a small buffer, filled: bytes of it are not acknowledged.
struct Stalled {
  Fd sender;
  Fd receiver;
  size_t sent = 0;

  Stalled() {
    Listening listening;
    int small = 4'096;
    setsockopt(listening.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    sender = connect_to(listening.address());
    receiver = listening.accept();
    sent = send_some(sender.get(), pattern(1'000'000));
  }
  int receiver_error() { return option(receiver.get(), SOL_SOCKET, SO_ERROR); }
};

TEST(LateResets, ResetsAtOnceWhenEverythingHasArrived) {
  EventLoop loop;
  LateResets resets(loop);
  auto [near, far] = tcp_pair();
  send_some(near.get(), "done");
  std::string bytes;
  ASSERT_TRUE(run_until(loop, [&] {
    receive(far.get(), bytes);
    return bytes == "done";
  }));
  int fd = near.get();
  resets.close(std::move(near), {});
  EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "closed at once";
  ASSERT_TRUE(wait_readable(far.get()));
  EXPECT_EQ(receive(far.get(), bytes), -ECONNRESET);
}

TEST(LateResets, WaitsUntilThePeerHasEverything) {
  EventLoop loop;
  LateResets resets(loop);
  Stalled stalled;
  ASSERT_GT(stalled.sent, 10'000u);
  resets.close(std::move(stalled.sender), {});
  EXPECT_TRUE(stays_away(
      loop, [&] { return stalled.receiver_error() != 0; }, 4 * LateResets::kLook))
      << "the reset overtook what was sent";
  std::string bytes;
  int last = 0;
  ASSERT_TRUE(run_until(loop, [&] {
    last = receive(stalled.receiver.get(), bytes);
    return last != -EAGAIN;
  }));
  EXPECT_EQ(last, -ECONNRESET) << "an orderly end of a stream that was cut";
  EXPECT_EQ(bytes.size(), stalled.sent);
  EXPECT_TRUE(bytes == pattern(1'000'000).substr(0, stalled.sent));
}

TEST(LateResets, EachConnectionIsWaitedForByItself) {
  EventLoop loop;
  LateResets resets(loop);
  Stalled slow;
  Stalled quick;
  resets.close(std::move(slow.sender), {});
  resets.close(std::move(quick.sender), {});
  std::string bytes;
  int last = 0;
  ASSERT_TRUE(run_until(loop, [&] {
    last = receive(quick.receiver.get(), bytes);
    return last != -EAGAIN;
  }));
  EXPECT_EQ(last, -ECONNRESET);
  EXPECT_EQ(bytes.size(), quick.sent);
  EXPECT_EQ(slow.receiver_error(), 0);
}

TEST(LateResets, BeyondItsMostItDoesNotWait) {
  EventLoop loop;
  LateResets resets(loop);
  // Of a unix socket too the kernel tells what nobody has read yet.
  std::vector<Fd> far_ends;
  for (size_t i = 0; i < LateResets::kMost + 1; ++i) {
    auto [near, far] = unix_pair();
    send_some(near.get(), "unread");
    far_ends.push_back(std::move(far));
    resets.close(std::move(near), {});
  }
  auto is_closed = [](const Fd& far) {
    std::string bytes;
    return receive(far.get(), bytes) != -EAGAIN;
  };
  EXPECT_FALSE(is_closed(far_ends[0]));
  EXPECT_FALSE(is_closed(far_ends[LateResets::kMost - 1]));
  EXPECT_TRUE(is_closed(far_ends[LateResets::kMost]));
}

TEST(LateResets, WhatStillWaitsAtTheEndIsReset) {
  EventLoop loop;
  Stalled stalled;
  {
    LateResets resets(loop);
    resets.close(std::move(stalled.sender), {});
    EXPECT_EQ(stalled.receiver_error(), 0);
  }
  EXPECT_TRUE(run_until(loop, [&] { return stalled.receiver_error() == ECONNRESET; }));
}

TEST(LateResets, ClosingNothingIsAllowed) {
  EventLoop loop;
  LateResets resets(loop);
  resets.close(Fd(), {});
}

TEST(LateResets, WaitsNoLongerThanAFewSeconds) {
  EXPECT_LE(LateResets::kLongest_ms, 5'000);
  EXPECT_LT(LateResets::kLook.count(), LateResets::kLongest_ms);
}

}  // namespace
}  // namespace lb
