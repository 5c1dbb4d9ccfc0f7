// SPDX-License-Identifier: MIT
#include "net/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "../loopback.h"
#include "common/log.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

struct Counting {
  int calls = 0;
  std::function<void()> action = {};
  void on_event() {
    ++calls;
    if (action) action();
  }
};

TEST(EventLoop, ATurnEndsThoughSomethingStaysReadable) {
  EventLoop loop;
  auto [near, far] = unix_pair();
  send_some(far.get(), "x");
  Counting counting;
  counting.action = [&] {
    if (counting.calls == 100) FAIL() << "one turn is endless";
    if (counting.calls > 100) std::abort();
  };
  IoEvent event;
  event.bind<&Counting::on_event>(loop, near.get(), IoEvent::kRead, &counting);
  event.arm();
  for (int turn = 1; turn <= 3; ++turn) {
    loop.run_turn(false);
    EXPECT_EQ(counting.calls, turn) << "without waiting";
  }
  for (int turn = 4; turn <= 6; ++turn) {
    loop.run_turn();
    EXPECT_EQ(counting.calls, turn) << "waiting";
  }
}

struct Twice final : TurnEnd {
  explicit Twice(EventLoop& turning) : loop(turning) {}
  void end_turn() override {
    if (++calls < 2) loop.at_end_of_turn(*this);
  }
  EventLoop& loop;
  int calls = 0;
};

TEST(EventLoop, WhatATurnLeavesToTheNextWaitsForNoEvent) {
  EventLoop loop;
  Twice last(loop);
  loop.at_end_of_turn(last);
  loop.run_turn(false);
  EXPECT_EQ(last.calls, 1);
  loop.run_turn();  // nothing else would ever end it
  EXPECT_EQ(last.calls, 2);
}

TEST(EventLoop, ATurnWithoutWaitingReturnsWhenThereIsNothing) {
  EventLoop loop;
  Timer far_away(loop, [] { FAIL(); });
  far_away.start(std::chrono::hours(1));
  loop.run_turn(false);
}

TEST(EventLoop, TimeStandsStillWithinATurnAndNotBeyond) {
  EventLoop loop;
  int64_t before_us = 0;
  Timer timer(loop, [&] {
    before_us = loop.now_us();
    while (monotonic_us() < before_us + 2'000) {
    }
    EXPECT_EQ(loop.now_us(), before_us);
    EXPECT_EQ(loop.now_ms(), before_us / 1'000);
  });
  timer.start(milliseconds(0));
  loop.run_turn();
  ASSERT_NE(before_us, 0);
  loop.run_turn(false);
  EXPECT_GE(loop.now_us(), before_us + 2'000);
  EXPECT_LE(loop.now_us(), monotonic_us());
}

TEST(EventLoop, RunsUntilItIsStopped) {
  EventLoop loop;
  int calls = 0;
  Timer timer(loop, [&] {
    if (++calls == 3) return loop.stop();
    timer.start(milliseconds(0));
  });
  timer.start(milliseconds(0));
  loop.run();
  EXPECT_EQ(calls, 3);
}

struct Mortal {
  std::vector<int>& deaths;
  int number;
  std::function<void()> last_will = {};
  ~Mortal() {
    deaths.push_back(number);
    if (last_will) last_will();
  }
};

TEST(EventLoop, WhatIsRetiredDiesAtTheEndOfTheTurn) {
  EventLoop loop;
  std::vector<int> deaths;
  Timer timer(loop, [&] {
    loop.retire(std::unique_ptr<Mortal>(new Mortal{deaths, 1}));
    loop.retire(std::unique_ptr<Mortal>(new Mortal{deaths, 2}));
    EXPECT_TRUE(deaths.empty());
  });
  timer.start(milliseconds(0));
  loop.run_turn();
  EXPECT_EQ(deaths, (std::vector<int>{1, 2}));
}

TEST(EventLoop, ADyingObjectMayRetireAnother) {
  EventLoop loop;
  std::vector<int> deaths;
  loop.retire(std::unique_ptr<Mortal>(
      new Mortal{deaths, 1, [&] {
                   loop.retire(std::unique_ptr<Mortal>(new Mortal{deaths, 2}));
                 }}));
  loop.run_turn(false);
  EXPECT_EQ(deaths, (std::vector<int>{1, 2}));
}

TEST(EventLoop, WhatIsStillRetiredDiesWithTheLoop) {
  std::vector<int> deaths;
  {
    EventLoop loop;
    loop.retire(std::unique_ptr<Mortal>(new Mortal{deaths, 1}));
    EXPECT_TRUE(deaths.empty());
  }
  EXPECT_EQ(deaths, std::vector<int>{1});
}

TEST(EventLoop, WhatLibeventSaysGoesToTheLog) {
  std::string path = testing::TempDir() + "lb_event_loop_" + std::to_string(getpid());
  ASSERT_TRUE(log::configure({.output = path}));
  EventLoop loop;
  Counting counting;
  auto ends = unix_pair();
  int fd = ends.first.get();
  ends.first.reset();
  IoEvent event;
  event.bind<&Counting::on_event>(loop, fd, IoEvent::kRead, &counting);
  event.arm();
  log::shutdown();
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  unlink(path.c_str());
  EXPECT_THAT(text.str(), testing::ContainsRegex("warning libevent: .*Bad file descriptor\n$"));
}

TEST(IoEvent, IsCalledOnlyWhileArmed) {
  EventLoop loop;
  auto [near, far] = unix_pair();
  send_some(far.get(), "x");
  Counting counting;
  IoEvent event;
  EXPECT_FALSE(event.bound());
  event.bind<&Counting::on_event>(loop, near.get(), IoEvent::kRead, &counting);
  EXPECT_TRUE(event.bound());
  EXPECT_FALSE(event.armed());
  loop.run_turn(false);
  EXPECT_EQ(counting.calls, 0);
  event.arm();
  event.arm();
  EXPECT_TRUE(event.armed());
  loop.run_turn(false);
  EXPECT_EQ(counting.calls, 1);
  event.disarm();
  event.disarm();
  EXPECT_FALSE(event.armed());
  loop.run_turn(false);
  EXPECT_EQ(counting.calls, 1);
}

TEST(IoEvent, DisarmingRemovesACallbackThatIsQueuedInThisTurn) {
  EventLoop loop;
  auto [near, far] = unix_pair();
  auto [near2, far2] = unix_pair();
  send_some(far.get(), "x");
  send_some(far2.get(), "x");
  Counting first;
  Counting second;
  IoEvent first_event;
  IoEvent second_event;
  first.action = [&] { second_event.disarm(); };
  second.action = [&] { first_event.disarm(); };
  first_event.bind<&Counting::on_event>(loop, near.get(), IoEvent::kRead, &first);
  second_event.bind<&Counting::on_event>(loop, near2.get(), IoEvent::kRead, &second);
  first_event.arm();
  second_event.arm();
  loop.run_turn();
  EXPECT_EQ(first.calls + second.calls, 1);
}

TEST(IoEvent, TellsWhenAFullSocketTakesMore) {
  EventLoop loop;
  auto [near, far] = unix_pair();
  send_some(near.get(), pattern(4'000'000));
  Counting counting;
  IoEvent event;
  event.bind<&Counting::on_event>(loop, near.get(), IoEvent::kWrite, &counting);
  event.arm();
  loop.run_turn(false);
  EXPECT_EQ(counting.calls, 0);
  std::string taken;
  receive(far.get(), taken);
  loop.run_turn(false);
  EXPECT_EQ(counting.calls, 1);
}

TEST(Timer, CallsWhenItsDelayIsOver) {
  constexpr int64_t kJiffy_us = 10'000;  // libevent reads the kernel's coarse clock
  EventLoop loop;
  for (int delay_ms : {0, 1, 40}) {
    int64_t fired_us = 0;
    Timer timer(loop, [&] { fired_us = monotonic_us(); });
    int64_t start_us = monotonic_us();
    timer.start(milliseconds(delay_ms));
    EXPECT_TRUE(timer.pending());
    while (fired_us == 0) loop.run_turn();
    EXPECT_FALSE(timer.pending());
    EXPECT_GE(fired_us - start_us, delay_ms * 1'000 - kJiffy_us) << delay_ms;
  }
}

TEST(Timer, ANewStartReplacesTheEarlierOne) {
  EventLoop loop;
  int calls = 0;
  Timer timer(loop, [&] { ++calls; });
  timer.start(std::chrono::hours(1));
  timer.start(milliseconds(1));
  EXPECT_TRUE(run_until(loop, [&] { return calls == 1; }));
  timer.start(milliseconds(1));
  timer.start(std::chrono::hours(1));
  EXPECT_TRUE(stays_away(
      loop, [&] { return calls > 1; }, milliseconds(20)));
  EXPECT_TRUE(timer.pending());
}

TEST(Timer, IsSilentOnceStoppedOrDestroyed) {
  EventLoop loop;
  bool called = false;
  Timer stopped(loop, [&] { called = true; });
  stopped.start(milliseconds(1));
  stopped.stop();
  EXPECT_FALSE(stopped.pending());
  auto gone = std::make_unique<Timer>(loop, [&] { called = true; });
  gone->start(milliseconds(1));
  gone.reset();
  EXPECT_TRUE(stays_away(
      loop, [&] { return called; }, milliseconds(20)));
}

TEST(Timer, MayStopAnotherThatIsDueInTheSameTurn) {
  EventLoop loop;
  int calls = 0;
  std::unique_ptr<Timer> a;
  std::unique_ptr<Timer> b;
  a = std::make_unique<Timer>(loop, [&] { ++calls, b->stop(); });
  b = std::make_unique<Timer>(loop, [&] { ++calls, a->stop(); });
  a->start(milliseconds(1));
  b->start(milliseconds(1));
  EXPECT_TRUE(run_until(loop, [&] { return calls > 0; }));
  EXPECT_TRUE(stays_away(
      loop, [&] { return calls > 1; }, milliseconds(10)));
}

TEST(SignalEvent, CallsBackOnTheLoop) {
  EventLoop loop;
  int calls = 0;
  SignalEvent event(loop, SIGUSR2, [&] { ++calls; });
  raise(SIGUSR2);
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(run_until(loop, [&] { return calls == 1; }));
}

}  // namespace
}  // namespace lb
