// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "connector_rig.h"

namespace lb {
namespace {

using Step = Connector::Step;

// A connector whose owner is told of its turn.
struct Waiting final : Waiter {
  void on_turn() override { ++turns; }
  Connector connector{*this};
  int turns = 0;
};

class WaitingTest : public ConnectorTest {
 protected:
  WaitingTest() {
    config_->queue.timeout = milliseconds(1'000);
    config_->hold = milliseconds(10'000);
  }
  // Fails every try of one turn.
  Step fail_all(Connector& connector, const Pool& pool, Step step) {
    while (step == Step::connecting || step == Step::pause) {
      step = step == Step::pause ? next(connector, pool) : fail(connector, pool);
    }
    return step;
  }
  Step look(Waiting& waiting, const Pool& pool) {
    return waiting.connector.look(pool, rig_.context, 0);
  }
  int64_t wait_ms(const Waiting& waiting) {
    return waiting.connector.look_ms() - rig_.loop.now_ms();
  }
  bool is_called(Waiting& waiting) {
    return run_until(rig_.loop, [&] { return std::exchange(waiting.turns, 0) > 0; });
  }
};

TEST_F(WaitingTest, ForRoomTheQueuesTimeAndServedWhenThereIsSome) {
  add(1);
  members_[0].limit = 1;
  Pool pool = this->pool();
  Lease held = std::move(*pool.acquire(Want{}));
  Waiting first;
  Waiting second;
  EXPECT_EQ(next(first.connector, pool), Step::waiting);
  EXPECT_EQ(next(second.connector, pool), Step::waiting);
  EXPECT_EQ(wait_ms(first), 1'000);
  held.reset();
  EXPECT_TRUE(is_called(first));
  EXPECT_EQ(second.turns, 0);
  EXPECT_EQ(next(first.connector, pool), Step::connecting);
  EXPECT_TRUE(first.connector.is_in_line());
  held = first.connector.take_lease();
  first.connector.connected();
  EXPECT_EQ(pool.line().waiting(), 1u);
  held.reset();
  EXPECT_TRUE(is_called(second));
}

TEST_F(WaitingTest, NewWorkStandsInLineEvenWhenThereIsRoom) {
  add(1);
  members_[0].limit = 1;
  Pool pool = this->pool();
  Lease held = std::move(*pool.acquire(Want{}));
  Waiting first;
  EXPECT_EQ(next(first.connector, pool), Step::waiting);
  held.reset();
  Waiting second;
  EXPECT_EQ(next(second.connector, pool), Step::waiting) << "the room is the first one's";
  EXPECT_TRUE(is_called(first));
  EXPECT_EQ(next(first.connector, pool), Step::connecting);
  Connector without_owner;
  EXPECT_EQ(next(without_owner, pool), Step::full) << "who cannot wait does not";
}

TEST_F(WaitingTest, WhatWasFreedWhileItJoinedIsFound) {
  add(1);
  members_[0].limit = 1;
  Pool pool = this->pool();
  servers_[0].active() = 1;
  Waiting waiting;
  EXPECT_EQ(next(waiting.connector, pool), Step::waiting);
  waiting.connector.stop();
  EXPECT_EQ(pool.line().waiting(), 0u);
  servers_[0].active() = 0;
}

TEST_F(WaitingTest, GivesUpWhenItsTimeIsOver) {
  struct Row {
    const char* what;
    ServerStatus status;
    int64_t queue_ms;
    int64_t hold_ms;
    Step first;
    Step last;
  };
  const Row rows[] = {
      {"full", ServerStatus::healthy, 20, 0, Step::waiting, Step::full},
      {"full, no queue", ServerStatus::healthy, 0, 20, Step::full, Step::full},
      {"down", ServerStatus::unhealthy, 0, 20, Step::waiting, Step::no_server},
      {"down, no hold", ServerStatus::unhealthy, 20, 0, Step::no_server, Step::no_server},
  };
  for (const Row& row : rows) {
    members_.clear();
    Server& server = add(listening_.address().to_string());
    members_[0].status = row.status;
    members_[0].limit = 1;
    server.active() = 1;
    config_->queue.timeout = milliseconds(row.queue_ms);
    config_->hold = milliseconds(row.hold_ms);
    Pool pool = this->pool();
    Waiting waiting;
    EXPECT_EQ(next(waiting.connector, pool), row.first) << row.what;
    if (row.first != Step::waiting) continue;
    EXPECT_EQ(wait_ms(waiting), 20) << row.what;
    EXPECT_EQ(look(waiting, pool), Step::waiting) << row.what;
    wait_until_ms(waiting.connector.look_ms());
    EXPECT_EQ(look(waiting, pool), row.last) << row.what;
    EXPECT_EQ(pool.line().waiting(), 0u);
    server.active() = 0;
  }
}

TEST_F(WaitingTest, NoMoreWaitThanTheQueueHolds) {
  add(1);
  members_[0].status = ServerStatus::unhealthy;
  config_->queue.size = 2;
  Pool pool = this->pool();
  Waiting waiting[3];
  EXPECT_EQ(next(waiting[0].connector, pool), Step::waiting);
  EXPECT_EQ(next(waiting[1].connector, pool), Step::waiting);
  EXPECT_EQ(next(waiting[2].connector, pool), Step::no_server);
}

TEST_F(WaitingTest, HeldOnesGoWhenAServerIsUsableTenAtATimeUntilOneIsServed) {
  add(1);
  members_[0].status = ServerStatus::unhealthy;
  Pool down = pool();
  std::vector<std::unique_ptr<Waiting>> all;
  for (int i = 0; i < 30; ++i) {
    all.push_back(std::make_unique<Waiting>());
    ASSERT_EQ(next(all.back()->connector, down), Step::waiting);
    EXPECT_EQ(wait_ms(*all.back()), 10'000);
  }
  down.let_waiters_try();
  members_[0].status = ServerStatus::healthy;
  Pool up = pool();
  up.let_waiters_try();
  up.let_waiters_try();
  rig_.loop.run_turn(false);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i]->turns, i < 10 ? 1 : 0) << i;
  for (size_t i = 0; i < 10; ++i) {
    ASSERT_EQ(next(all[i]->connector, up), Step::connecting);
  }
  Lease lease = all[4]->connector.take_lease();
  all[4]->connector.connected();
  EXPECT_TRUE(is_called(*all[11]));
  EXPECT_EQ(all[10]->turns, 1);
  EXPECT_EQ(all[12]->turns, 0);
}

TEST_F(WaitingTest, WhenEveryConnectFailedTheFirstInLineTriesAgainAndAgain) {
  add(2);
  config_->retries = {.attempts = 1, .backoff = milliseconds(4), .max_backoff = milliseconds(8)};
  Pool pool = this->pool();
  Waiting first;
  EXPECT_EQ(fail_all(first.connector, pool, next(first.connector, pool)), Step::waiting);
  EXPECT_TRUE(pool.line().is_holding());
  Waiting second;
  EXPECT_EQ(next(second.connector, pool), Step::waiting);
  EXPECT_EQ(wait_ms(second), 10'000) << "held as the others are";
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(wait_ms(first), 8);
    wait_until_ms(first.connector.look_ms());
    EXPECT_EQ(look(first, pool), Step::waiting);
    ASSERT_TRUE(is_called(first));
    EXPECT_EQ(second.turns, 0);
    EXPECT_EQ(fail_all(first.connector, pool, next(first.connector, pool)), Step::waiting);
  }
  first.connector.stop();
  EXPECT_TRUE(is_called(second)) << "now it is the first";
  EXPECT_EQ(servers_.active(0) + servers_.active(1), 0u);
}

TEST_F(WaitingTest, AFailedConnectIsNoRoomForOthers) {
  add(1);
  members_[0].limit = 1;
  config_->retries = {
      .attempts = 0, .backoff = milliseconds(2'000), .max_backoff = milliseconds(2'000)};
  Pool pool = this->pool();
  Lease held = std::move(*pool.acquire(Want{}));
  std::vector<std::unique_ptr<Waiting>> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(std::make_unique<Waiting>());
    ASSERT_EQ(next(all.back()->connector, pool), Step::waiting);
  }
  held.reset();
  ASSERT_TRUE(is_called(*all[0]));
  EXPECT_EQ(next(all[0]->connector, pool), Step::connecting);
  EXPECT_EQ(fail(all[0]->connector, pool), Step::waiting);
  rig_.loop.run_turn(false);
  for (auto& waiting : all) EXPECT_EQ(waiting->turns, 0);
}

TEST_F(WaitingTest, WhoWaitedForRoomIsHeldWhenServersFail) {
  add(1);
  members_[0].limit = 1;
  config_->queue.timeout = milliseconds(20);
  Pool pool = this->pool();
  Lease held = std::move(*pool.acquire(Want{}));
  Waiting waiting;
  ASSERT_EQ(next(waiting.connector, pool), Step::waiting);
  members_[0].status = ServerStatus::unhealthy;
  Pool down = this->pool();
  wait_until_ms(waiting.connector.look_ms());
  EXPECT_EQ(look(waiting, down), Step::waiting);
  EXPECT_GT(wait_ms(waiting), 9'000);
}

TEST_F(WaitingTest, WhoseListenerHasAnotherPoolNowGoesThere) {
  add(1);
  members_[0].status = ServerStatus::unhealthy;
  Pool down = pool();
  Waiting waiting;
  ASSERT_EQ(next(waiting.connector, down), Step::waiting);
  Servers others{{}};
  Server& other = others.add(1, "other", listening_.address().to_string());
  Pool elsewhere(config_, {{&other, ServerStatus::healthy, 1, kNoLimit, false}}, others.load(),
                 budget_);
  EXPECT_EQ(look(waiting, elsewhere), Step::connecting);
  EXPECT_EQ(down.line().waiting(), 0u);
  EXPECT_FALSE(waiting.connector.is_in_line());
  waiting.connector.take_lease();
}

TEST_F(WaitingTest, WhoWasHeldWaitsForRoomFromWhenItWasCalled) {
  add(1);
  members_[0].status = ServerStatus::unhealthy;
  members_[0].limit = 1;
  Pool down = pool();
  Waiting waiting;
  ASSERT_EQ(next(waiting.connector, down), Step::waiting);
  wait_until_ms(rig_.loop.now_ms() + 5);
  members_[0].status = ServerStatus::healthy;
  servers_[0].active() = 1;
  Pool full = pool();
  full.let_waiters_try();
  ASSERT_TRUE(is_called(waiting));
  EXPECT_EQ(next(waiting.connector, full), Step::waiting);
  EXPECT_EQ(wait_ms(waiting), 1'000);
  servers_[0].active() = 0;
}

}  // namespace
}  // namespace lb
