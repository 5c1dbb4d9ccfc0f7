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
  PipePool pool(2);
  auto a = pool.take();
  auto b = pool.take();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(pool.in_use(), 2u);
  EXPECT_EQ(pool.take(), nullptr);
  pool.give_back(std::move(a), true);
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_NE(pool.take(), nullptr);
}

TEST(PipePool, NoneAtAllIsALimitToo) {
  PipePool pool(0);
  EXPECT_EQ(pool.take(), nullptr);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(PipePool, PipesAreLargeAndNeverBlock) {
  PipePool pool(1);
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
  PipePool pool(4);
  auto pipe = pool.take();
  int fd = pipe->read_end.get();
  pool.give_back(std::move(pipe), true);
  EXPECT_TRUE(is_open(fd));
  EXPECT_EQ(pool.take()->read_end.get(), fd);
}

TEST(PipePool, APipeThatStillHoldsBytesIsNotUsedAgain) {
  PipePool pool(4);
  auto pipe = pool.take();
  int fd = pipe->read_end.get();
  ASSERT_EQ(write(pipe->write_end.get(), "x", 1), 1);
  pool.give_back(std::move(pipe), false);
  EXPECT_FALSE(is_open(fd));
  EXPECT_EQ(pool.in_use(), 0u);
  auto next = pool.take();
  char byte;
  EXPECT_EQ(read(next->read_end.get(), &byte, 1), -1) << "somebody else's byte";
}

TEST(PipePool, KeepsOnlyAFewUnused) {
  PipePool pool(20);
  std::vector<std::unique_ptr<Pipe>> pipes;
  std::vector<int> fds;
  for (int i = 0; i < 12; ++i) {
    pipes.push_back(pool.take());
    ASSERT_TRUE(pipes.back());
    fds.push_back(pipes.back()->read_end.get());
  }
  for (auto& pipe : pipes) pool.give_back(std::move(pipe), true);
  auto open = std::count_if(fds.begin(), fds.end(), is_open);
  EXPECT_EQ(static_cast<size_t>(open), PipePool::kKeepUnused);
}

TEST(PipePool, WhereTheSystemGivesNoneItAsksSeldomButAsksAgain) {
  PipePool pool(4);
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
  PipePool pool(4);
  auto pipe = pool.take();
  {
    NoDescriptors none;
    EXPECT_EQ(pool.take(), nullptr);
  }
  pool.give_back(std::move(pipe), false);
  EXPECT_NE(pool.take(), nullptr);
}

}  // namespace
}  // namespace lb
