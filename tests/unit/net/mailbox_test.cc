// SPDX-License-Identifier: MIT
#include "net/mailbox.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "../loopback.h"

namespace lb {
namespace {

TEST(Mailbox, RunsTasksInTheOrderOfPosting) {
  EventLoop loop;
  Mailbox mailbox(loop);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) mailbox.post([&order, i] { order.push_back(i); });
  EXPECT_TRUE(order.empty()) << "never from within post()";
  loop.run_turn();
  ASSERT_EQ(order.size(), 100u) << "one wake-up for all of them";
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Mailbox, ABatchWakesTheLoopOnce) {
  EventLoop loop;
  Mailbox mailbox(loop);
  int calls = 0;
  for (int i = 0; i < 10; ++i) mailbox.post([&] { ++calls; });
  loop.run_turn();
  EXPECT_EQ(calls, 10);
  // Were there another wake-up, this turn would end by it and not by the timer.
  bool timed = false;
  Timer timer(loop, [&] { timed = true; });
  timer.start(std::chrono::milliseconds(5));
  loop.run_turn();
  EXPECT_TRUE(timed);
}

TEST(Mailbox, EachThreadsTasksKeepTheirOrderAndNoneIsLost) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5'000;
  EventLoop loop;
  Mailbox mailbox(loop);
  std::array<int, kThreads> next{};
  int out_of_order = 0;
  int total = 0;
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kTasks; ++i) {
        mailbox.post([&, thread, i] {
          if (next[thread] != i) ++out_of_order;
          next[thread] = i + 1;
          ++total;
        });
      }
    });
  }
  // Without a tick of its own: a wake-up that is lost leaves this waiting.
  bool late = false;
  Timer limit(loop, [&] { late = true; });
  limit.start(std::chrono::seconds(20));
  while (total < kThreads * kTasks && !late) loop.run_turn();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(total, kThreads * kTasks);
  EXPECT_EQ(out_of_order, 0);
}

TEST(Mailbox, WakesALoopThatWaits) {
  EventLoop loop;
  Mailbox mailbox(loop);
  std::thread::id ran_on;
  std::thread poster([&] {
    mailbox.post([&] {
      ran_on = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.run();
  poster.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(Mailbox, ATaskMayPostAndThatRunsAfterwards) {
  EventLoop loop;
  Mailbox mailbox(loop);
  std::string order;
  mailbox.post([&] {
    mailbox.post([&] { order += 'c'; });
    order += 'a';
  });
  mailbox.post([&] { order += 'b'; });
  EXPECT_TRUE(run_until(loop, [&] { return order.size() == 3; }));
  EXPECT_EQ(order, "abc");
}

TEST(Mailbox, ATaskThatPostsItselfAgainDoesNotHoldUpTheTurn) {
  EventLoop loop;
  Mailbox mailbox(loop);
  int calls = 0;
  std::function<void()> again = [&] {
    if (++calls < 1'000) mailbox.post(again);
  };
  mailbox.post(again);
  loop.run_turn(false);
  EXPECT_EQ(calls, 1);
  loop.run_turn(false);
  EXPECT_EQ(calls, 2);
}

TEST(Mailbox, TasksCarryWhatCannotBeCopied) {
  EventLoop loop;
  Mailbox mailbox(loop);
  auto [near, far] = unix_pair();
  std::unique_ptr<int> arrived;
  mailbox.post([fd = std::move(near), number = std::make_unique<int>(7), &arrived]() mutable {
    send_some(fd.get(), "x");
    arrived = std::move(number);
  });
  EXPECT_TRUE(run_until(loop, [&] { return arrived != nullptr; }));
  EXPECT_EQ(*arrived, 7);
  std::string bytes;
  EXPECT_EQ(receive(far.get(), bytes), 0) << "closed with its task";
  EXPECT_EQ(bytes, "x");
}

TEST(Mailbox, WhatIsQueuedWhenItEndsIsFreedUnrun) {
  EventLoop loop;
  auto token = std::make_shared<int>(1);
  bool ran = false;
  {
    Mailbox mailbox(loop);
    mailbox.post([token, &ran] { ran = true; });
    mailbox.post([token, &ran] { ran = true; });
    EXPECT_EQ(token.use_count(), 3);
  }
  EXPECT_EQ(token.use_count(), 1);
  loop.run_turn(false);
  EXPECT_FALSE(ran);
}

TEST(Mailbox, ATaskIsFreedOnceItHasRun) {
  EventLoop loop;
  Mailbox mailbox(loop);
  auto token = std::make_shared<int>(1);
  mailbox.post([token] {});
  EXPECT_EQ(token.use_count(), 2);
  loop.run_turn();
  EXPECT_EQ(token.use_count(), 1);
}

}  // namespace
}  // namespace lb
