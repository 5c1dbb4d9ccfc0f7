// SPDX-License-Identifier: MIT
#include "net/pipe_pool.h"

#include <gtest/gtest.h>

#include <vector>

#include "../loopback.h"

namespace lb {
namespace {

bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

TEST(PipePool, GivesPipesUpToItsLimit) {
  EventLoop loop;
  PipePool pool(loop, 2);
  auto a = pool.take();
  auto b = pool.take();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(pool.in_use(), 2u);
  EXPECT_EQ(pool.take(), nullptr);
  pool.give_back(std::move(a));
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_NE(pool.take(), nullptr);
}

TEST(PipePool, NoneAtAllIsALimitToo) {
  EventLoop loop;
  PipePool pool(loop, 0);
  EXPECT_EQ(pool.take(), nullptr);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(PipePool, PipesAreLargeAndNeverBlock) {
  EventLoop loop;
  PipePool pool(loop, 1);
  auto pipe = pool.take();
  ASSERT_TRUE(pipe);
  EXPECT_GE(pipe->capacity, PipePool::kPipeSize);
  for (const Fd* end : {&pipe->read_end, &pipe->write_end}) {
    EXPECT_TRUE(fcntl(end->get(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(end->get(), F_GETFD) & FD_CLOEXEC);
  }
  char byte;
  EXPECT_EQ(read(pipe->read_end.get(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(PipePool, AnEmptyPipeIsUsedAgain) {
  EventLoop loop;
  PipePool pool(loop, 4);
  auto pipe = pool.take();
  int fd = pipe->read_end.get();
  pool.give_back(std::move(pipe));
  EXPECT_TRUE(is_open(fd));
  EXPECT_EQ(pool.take()->read_end.get(), fd);
}

TEST(PipePool, APipeThatStillHoldsBytesIsNotUsedAgain) {
  EventLoop loop;
  PipePool pool(loop, 4);
  auto pipe = pool.take();
  int fd = pipe->read_end.get();
  ASSERT_EQ(write(pipe->write_end.get(), "x", 1), 1);
  pipe->held = 1;
  pool.give_back(std::move(pipe));
  EXPECT_FALSE(is_open(fd));
  EXPECT_EQ(pool.in_use(), 0u);
  auto next = pool.take();
  char byte;
  EXPECT_EQ(read(next->read_end.get(), &byte, 1), -1) << "somebody else's byte";
}

TEST(PipePool, KeepsOnlyAFewUnused) {
  EventLoop loop;
  PipePool pool(loop, 20);
  std::vector<std::unique_ptr<Pipe>> pipes;
  std::vector<int> fds;
  for (int i = 0; i < 12; ++i) {
    pipes.push_back(pool.take());
    ASSERT_TRUE(pipes.back());
    fds.push_back(pipes.back()->read_end.get());
  }
  for (auto& pipe : pipes) pool.give_back(std::move(pipe));
  auto open = std::count_if(fds.begin(), fds.end(), is_open);
  EXPECT_EQ(static_cast<size_t>(open), PipePool::kKeepUnused);
}

TEST(PipePool, ClosesUnusedOnesWhenAsked) {
  EventLoop loop;
  PipePool pool(loop, 4);
  auto lent = pool.take();
  auto unused = pool.take();
  int fd = unused->read_end.get();
  pool.give_back(std::move(unused));
  pool.close_unused();
  EXPECT_FALSE(is_open(fd));
  EXPECT_TRUE(is_open(lent->read_end.get()));
}

TEST(PipePool, WhereTheSystemGivesNoneItAsksSeldomButAsksAgain) {
  EventLoop loop;
  PipePool pool(loop, 4);
  {
    NoDescriptors none;
    EXPECT_EQ(pool.take(), nullptr);
    EXPECT_EQ(pool.in_use(), 0u);
  }
  size_t turned_down = 0;
  while (!pool.take()) ASSERT_LE(++turned_down, PipePool::kTurnedDown);
  EXPECT_EQ(turned_down, PipePool::kTurnedDown);
  EXPECT_EQ(pool.in_use(), 1u);
}

TEST(PipePool, ThereIsRoomAgainWhenOneIsClosed) {
  EventLoop loop;
  PipePool pool(loop, 4);
  auto pipe = pool.take();
  {
    NoDescriptors none;
    EXPECT_EQ(pool.take(), nullptr);
  }
  pipe->held = 1;  // so that it is closed
  pool.give_back(std::move(pipe));
  EXPECT_NE(pool.take(), nullptr);
}

TEST(PipePool, TakesBackWhatIsLentOnceItIsEmptyAndNotUsed) {
  EventLoop loop;
  PipePool pool(loop, 4);
  std::unique_ptr<Pipe> silent;
  std::unique_ptr<Pipe> busy;
  std::unique_ptr<Pipe> full;
  for (auto* holder : {&silent, &busy, &full}) {
    *holder = pool.take();
    ASSERT_TRUE(*holder);
    pool.lend(*holder);
  }
  full->held = 1;
  int64_t began_ms = monotonic_ms();
  EXPECT_TRUE(run_until(loop, [&] {
    busy->used = true;
    return !silent;
  }));
  EXPECT_GE(monotonic_ms(), began_ms + PipePool::kSilence.count());
  EXPECT_TRUE(busy && full);
  EXPECT_EQ(pool.in_use(), 2u);

  full->held = 0;
  EXPECT_TRUE(run_until(loop, [&] { return !full && !busy; })) << "those, too, in time";
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace lb
