// SPDX-License-Identifier: MIT
#include "net/timeout_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../loopback.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

// The shortest list's period, and what clock and kernel round.
constexpr int64_t kLateness_ms = 8;

struct Alarm final : Timeout {
  explicit Alarm(std::function<void()> action = {}) : action_(std::move(action)) {}
  void on_timeout() override {
    EXPECT_EQ(deadline_ms(), 0) << "no longer set when it is called";
    ++calls;
    // It may destroy this.
    if (auto action = action_) action();
  }
  int calls = 0;
  std::function<void()> action_;
};

class TimeoutQueueTest : public testing::Test {
 protected:
  int64_t now_ms() { return loop_.now_ms(); }
  bool run_until_called(const Alarm& alarm, int calls = 1) {
    return run_until(loop_, [&] { return alarm.calls >= calls; });
  }

  EventLoop loop_;
  TimeoutQueue queue_{loop_};
};

TEST_F(TimeoutQueueTest, ThousandsAreMetNeverEarlyAndHardlyLate) {
  // Late is what a turn that could have called it did not: a machine that stands still for a while
  // is no fault of the queue.
  int64_t last_turn_ms = now_ms();
  int64_t this_turn_ms = last_turn_ms;
  size_t open = 0;
  struct Checked final : Timeout {
    std::function<void()> check;
    void on_timeout() override { check(); }
  };
  std::vector<std::unique_ptr<Checked>> all;
  for (int64_t i = 0; i < 5'000; ++i) {
    auto timeout = std::make_unique<Checked>();
    int64_t delay_ms = i < 300 ? i : static_cast<int64_t>(mix64(static_cast<uint64_t>(i)) % 700);
    int64_t deadline_ms = now_ms() + delay_ms;
    timeout->check = [&, delay_ms, deadline_ms] {
      --open;
      ASSERT_GE(monotonic_ms(), deadline_ms) << "early, after " << delay_ms << " ms";
      ASSERT_LE(last_turn_ms, deadline_ms + kLateness_ms) << "late, after " << delay_ms << " ms";
    };
    queue_.set(*timeout, deadline_ms);
    ++open;
    all.push_back(std::move(timeout));
  }
  auto turn = [&] {
    last_turn_ms = this_turn_ms;
    this_turn_ms = monotonic_ms();
    return open == 0;
  };
  EXPECT_TRUE(run_until(loop_, turn));
}

TEST_F(TimeoutQueueTest, ADeadlineThatHasPassedIsDueAtOnce) {
  Alarm alarm;
  int64_t start_ms = now_ms();
  queue_.set(alarm, start_ms - 5'000);
  EXPECT_EQ(alarm.calls, 0) << "never from within set()";
  EXPECT_TRUE(run_until_called(alarm));
  EXPECT_EQ(alarm.deadline_ms(), 0);
}

TEST_F(TimeoutQueueTest, KnowsItsDeadline) {
  Alarm alarm;
  EXPECT_EQ(alarm.deadline_ms(), 0);
  int64_t deadline_ms = now_ms() + 1'000'000;
  queue_.set(alarm, deadline_ms);
  EXPECT_EQ(alarm.deadline_ms(), deadline_ms);
  queue_.set(alarm, deadline_ms + 5);
  EXPECT_EQ(alarm.deadline_ms(), deadline_ms + 5);
  queue_.clear(alarm);
  EXPECT_EQ(alarm.deadline_ms(), 0);
  queue_.clear(alarm);
}

TEST_F(TimeoutQueueTest, ClearedOnesAreSilent) {
  Alarm cleared;
  Alarm other;
  queue_.set(cleared, now_ms() + 5);
  queue_.set(other, now_ms() + 25);
  queue_.clear(cleared);
  EXPECT_TRUE(run_until_called(other));
  EXPECT_EQ(cleared.calls, 0);
}

TEST_F(TimeoutQueueTest, MovingReplacesTheDeadlineBothWays) {
  Alarm later;
  Alarm sooner([&later] { EXPECT_EQ(later.calls, 0); });
  int64_t start_ms = now_ms();
  queue_.set(later, start_ms + 3);
  queue_.set(later, start_ms + 60);
  queue_.set(sooner, start_ms + 3'600'000);
  queue_.set(sooner, start_ms + 10);
  EXPECT_TRUE(run_until_called(sooner));
  EXPECT_TRUE(run_until_called(later));
  EXPECT_GE(monotonic_ms(), start_ms + 60);
  EXPECT_TRUE(stays_away(
      loop_, [&] { return later.calls + sooner.calls > 2; }, milliseconds(20)));
}

TEST_F(TimeoutQueueTest, SetAtMostOnlyEverLowers) {
  struct Row {
    const char* what;
    int64_t before;  // from now; 0 = none set
    int64_t at_most;
    int64_t after;
  };
  const Row rows[] = {
      {"none set", 0, 500, 500},
      {"later", 1'000, 2'000, 1'000},
      {"equal", 1'000, 1'000, 1'000},
      {"sooner", 1'000, 999, 999},
  };
  int64_t now = now_ms();
  for (const Row& row : rows) {
    Alarm alarm;
    if (row.before > 0) queue_.set(alarm, now + row.before);
    queue_.set_at_most(alarm, now + row.at_most);
    EXPECT_EQ(alarm.deadline_ms(), now + row.after) << row.what;
  }
}

TEST_F(TimeoutQueueTest, ACallbackMaySetItsOwnAgain) {
  Alarm alarm;
  alarm.action_ = [&] {
    if (alarm.calls < 5) queue_.set(alarm, now_ms() + alarm.calls);
  };
  queue_.set(alarm, now_ms() + 1);
  EXPECT_TRUE(run_until_called(alarm, 5));
  EXPECT_EQ(alarm.deadline_ms(), 0);
}

TEST_F(TimeoutQueueTest, ACallbackThatIsAlwaysDueAgainDoesNotHoldUpTheTurn) {
  Alarm restless;
  restless.action_ = [&] { queue_.set(restless, now_ms()); };
  queue_.set(restless, now_ms());
  EXPECT_TRUE(run_until_called(restless, 3));
}

TEST_F(TimeoutQueueTest, ACallbackMayClearOthersThatAreDueToo) {
  std::vector<std::unique_ptr<Alarm>> all;
  int called = 0;
  for (int i = 0; i < 10; ++i) {
    all.push_back(std::make_unique<Alarm>([&] {
      ++called;
      for (auto& alarm : all) queue_.clear(*alarm);
    }));
    queue_.set(*all.back(), now_ms() + 2);
  }
  EXPECT_TRUE(run_until(loop_, [&] { return called > 0; }));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return called > 1; }, milliseconds(20)));
}

TEST_F(TimeoutQueueTest, ACallbackMayDestroyItselfAndOthers) {
  std::vector<std::unique_ptr<Alarm>> all;
  int called = 0;
  for (int i = 0; i < 10; ++i) {
    all.push_back(std::make_unique<Alarm>([&] {
      ++called;
      all.clear();
    }));
    queue_.set(*all.back(), now_ms() + 2 + i % 2);
  }
  EXPECT_TRUE(run_until(loop_, [&] { return called > 0; }));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return called > 1; }, milliseconds(20)));
}

TEST_F(TimeoutQueueTest, OneThatDiesWhileSetLeavesNothingBehind) {
  // First, middle and last of one list.
  for (size_t dying : {0u, 1u, 2u}) {
    std::vector<std::unique_ptr<Alarm>> all;
    for (int i = 0; i < 3; ++i) {
      all.push_back(std::make_unique<Alarm>());
      queue_.set(*all.back(), now_ms() + 9);
    }
    all[dying].reset();
    for (auto& alarm : all) {
      if (alarm) {
        EXPECT_TRUE(run_until_called(*alarm));
      }
    }
  }
}

TEST_F(TimeoutQueueTest, EqualDeadlinesAreCalledInTheOrderOfSetting) {
  std::string order;
  std::vector<std::unique_ptr<Alarm>> all;
  for (char name = 'a'; name <= 'j'; ++name) {
    all.push_back(std::make_unique<Alarm>([&order, name] { order += name; }));
    queue_.set(*all.back(), now_ms() + 30);
  }
  EXPECT_TRUE(run_until(loop_, [&] { return order.size() == 10; }));
  EXPECT_EQ(order, "abcdefghij");
}

TEST_F(TimeoutQueueTest, ManyMovesEachTurnKeepEachDeadline) {
  // As sessions do that push their deadline on with each byte, and one that does not.
  std::vector<std::unique_ptr<Alarm>> moving;
  for (int i = 0; i < 500; ++i) moving.push_back(std::make_unique<Alarm>());
  Alarm still;
  int64_t deadline_ms = now_ms() + 150;
  queue_.set(still, deadline_ms);
  auto move_all = [&] {
    for (auto& alarm : moving) queue_.set(*alarm, now_ms() + 5'000);
    return still.calls > 0;
  };
  EXPECT_TRUE(run_until(loop_, move_all));
  EXPECT_GE(monotonic_ms(), deadline_ms);
  for (auto& alarm : moving) EXPECT_EQ(alarm->calls, 0);
}

TEST_F(TimeoutQueueTest, VeryFarDeadlinesAreKept) {
  Alarm far;
  Alarm near;
  queue_.set(far, now_ms() + (int64_t{1} << 40));
  queue_.set(near, now_ms() + 5);
  EXPECT_TRUE(run_until_called(near));
  EXPECT_EQ(far.calls, 0);
  EXPECT_NE(far.deadline_ms(), 0);
}

TEST(TimeoutQueue, WhatIsStillSetOutlivesTheQueue) {
  EventLoop loop;
  Alarm alarm;
  {
    TimeoutQueue queue(loop);
    queue.set(alarm, loop.now_ms() + 1);
  }
  EXPECT_EQ(alarm.deadline_ms(), 0);
  EXPECT_TRUE(stays_away(
      loop, [&] { return alarm.calls > 0; }, milliseconds(20)));
}

TEST(TimeoutQueue, ATimeoutMayMoveToAnotherQueue) {
  EventLoop loop;
  TimeoutQueue first(loop);
  TimeoutQueue second(loop);
  Alarm alarm;
  first.set(alarm, loop.now_ms() + 3);
  first.clear(alarm);
  second.set(alarm, loop.now_ms() + 3);
  EXPECT_TRUE(run_until(loop, [&] { return alarm.calls == 1; }));
  EXPECT_TRUE(stays_away(
      loop, [&] { return alarm.calls > 1; }, milliseconds(20)));
}

}  // namespace
}  // namespace lb
