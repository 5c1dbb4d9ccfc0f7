// SPDX-License-Identifier: MIT
#include "pool/wait_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "net/event_loop.h"
#include "net/mailbox.h"
#include "pool/pool.h"
#include "servers.h"

namespace lb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint32_t kMost = 1'000;

// A line, waiters on two loops of one thread, and who was called in what order.
class WaitLineTest : public testing::Test {
 protected:
  struct Named final : Waiter {
    Named(std::string n, std::vector<std::string>& c) : name(std::move(n)), called(c) {}
    void on_turn() override { called.push_back(name); }
    std::string name;
    std::vector<std::string>& called;
    std::shared_ptr<Place> place;
  };

  Named& join(const std::string& name, const Server* wanted = nullptr) {
    waiters_.push_back(std::make_unique<Named>(name, called_));
    Named& waiter = *waiters_.back();
    waiter.place = line_.join(waiter, mailboxes_[waiters_.size() % 2], wanted, kMost);
    return waiter;
  }
  void join_many(int count) {
    for (int i = 0; i < count; ++i) join(std::to_string(i));
  }
  // Who was called since the last time.
  std::vector<std::string> called() {
    for (auto& loop : loops_) loop.run_turn(false);
    return std::exchange(called_, {});
  }
  void serve(Named& waiter) {
    line_.begin_try(*waiter.place);
    line_.leave(*waiter.place, true);
  }

  WaitLine line_;
  EventLoop loops_[2];
  Mailbox mailboxes_[2] = {Mailbox(loops_[0]), Mailbox(loops_[1])};
  Servers servers_ = Servers::equal(2);
  std::vector<std::string> called_;
  std::vector<std::unique_ptr<Named>> waiters_;
};

TEST_F(WaitLineTest, WhoCameFirstIsCalledFirst) {
  join("a");
  join("b");
  join("c");
  EXPECT_EQ(line_.waiting(), 3u);
  EXPECT_THAT(called(), IsEmpty());
  line_.released(&servers_[0]);
  EXPECT_THAT(called(), ElementsAre("a"));
  serve(*waiters_[0]);
  line_.released(&servers_[1]);
  EXPECT_THAT(called(), ElementsAre("b"));
  line_.wait_on(*waiters_[1]->place, false);
  line_.released(&servers_[0]);
  EXPECT_THAT(called(), ElementsAre("b")) << "it found nothing, and keeps its place";
  EXPECT_EQ(line_.waiting(), 2u);
}

TEST_F(WaitLineTest, EachReleaseCallsAnother) {
  join("a");
  join("b");
  for (int i = 0; i < 3; ++i) line_.released(&servers_[0]);
  EXPECT_THAT(called(), testing::UnorderedElementsAre("a", "b"));
}

TEST_F(WaitLineTest, NoMoreWaitThanMay) {
  join("a");
  join("b");
  Named late("late", called_);
  EXPECT_EQ(line_.join(late, mailboxes_[0], nullptr, 2), nullptr);
  EXPECT_EQ(line_.waiting(), 2u);
  line_.leave(*waiters_[0]->place, false);
  EXPECT_NE(line_.join(late, mailboxes_[0], nullptr, 2), nullptr);
}

TEST_F(WaitLineTest, WhoLeavesPassesItsCallOn) {
  join("a");
  join("b");
  line_.released(&servers_[0]);
  line_.leave(*waiters_[0]->place, false);
  EXPECT_THAT(called(), ElementsAre("b")) << "a is gone by the time its call comes";
}

TEST_F(WaitLineTest, WhoWantsAnotherServerIsPassed) {
  join("sticky", &servers_[1]);
  join("any");
  join("sticky too", &servers_[1]);
  line_.released(&servers_[0]);
  EXPECT_THAT(called(), ElementsAre("any"));
  line_.released(&servers_[1]);
  EXPECT_THAT(called(), ElementsAre("sticky"));
}

TEST_F(WaitLineTest, IsNextWhenNobodyEarlierWouldTakeTheSame) {
  Named& first = join("first", &servers_[0]);
  Named& other = join("other", &servers_[1]);
  Named& same = join("same", &servers_[0]);
  Named& any = join("any");
  Named& last = join("last");
  Named& late = join("late", &servers_[1]);
  EXPECT_TRUE(line_.is_next(*first.place));
  EXPECT_TRUE(line_.is_next(*other.place));
  EXPECT_FALSE(line_.is_next(*same.place));
  EXPECT_TRUE(line_.is_next(*any.place));
  EXPECT_FALSE(line_.is_next(*last.place));
  EXPECT_FALSE(line_.is_next(*late.place));
}

TEST_F(WaitLineTest, OnlySoManyTryUntilOneIsServedThenTwoForEach) {
  join_many(20);
  line_.wait_on(*waiters_[0]->place, true);
  EXPECT_TRUE(line_.is_holding());
  line_.let_try(10);
  line_.let_try(10);
  EXPECT_EQ(called().size(), 10u);
  for (int i = 0; i < 10; ++i) line_.begin_try(*waiters_[static_cast<size_t>(i)]->place);
  line_.let_try(10);
  EXPECT_THAT(called(), IsEmpty()) << "ten are on their way";
  line_.leave(*waiters_[3]->place, true);
  EXPECT_EQ(called().size(), 2u);
  line_.leave(*waiters_[4]->place, true);
  EXPECT_EQ(called().size(), 2u);
}

TEST_F(WaitLineTest, WhereRoomIsWaitedForNobodyIsCalledWithoutIt) {
  join_many(5);
  line_.wait_on(*waiters_[0]->place, false);
  line_.released(&servers_[0]);
  EXPECT_EQ(called().size(), 1u);
  serve(*waiters_[0]);
  EXPECT_THAT(called(), IsEmpty());
}

TEST_F(WaitLineTest, WhoFailedTriesAgainAtItsPlace) {
  join("a");
  join("b");
  line_.let_try(1);
  EXPECT_THAT(called(), ElementsAre("a"));
  line_.begin_try(*waiters_[0]->place);
  line_.nudge();
  EXPECT_THAT(called(), IsEmpty()) << "somebody is trying";
  line_.wait_on(*waiters_[0]->place, true);
  line_.nudge();
  EXPECT_THAT(called(), ElementsAre("a"));
}

TEST_F(WaitLineTest, WhenTheOneThatTriesGoesTheNextDoes) {
  join("a");
  join("b");
  line_.let_try(1);
  EXPECT_THAT(called(), ElementsAre("a"));
  line_.begin_try(*waiters_[0]->place);
  line_.leave(*waiters_[0]->place, false);
  EXPECT_THAT(called(), ElementsAre("b"));
}

TEST_F(WaitLineTest, RoomThatWasFreedForOneWhoFoundOtherRoomIsTheNextOnes) {
  join("a");
  join("b");
  line_.released(&servers_[0]);
  line_.begin_try(*waiters_[0]->place);
  EXPECT_THAT(called(), ElementsAre("b"));
}

TEST_F(WaitLineTest, HoldsNoLongerWhenAllHaveLeft) {
  join("a");
  line_.wait_on(*waiters_[0]->place, true);
  line_.leave(*waiters_[0]->place, false);
  EXPECT_FALSE(line_.is_holding());
  EXPECT_EQ(line_.waiting(), 0u);
}

// Workers that take and give back the few places of a pool as fast as they can: none may wait while
// there is room.
class Crowd {
 public:
  Crowd(Pool& pool, int clients, int rounds) : pool_(pool), rounds_(rounds) {
    for (int i = 0; i < clients; ++i) clients_.push_back(std::make_unique<Client>(*this));
  }

  // False when it got nowhere.
  bool run(Numbers numbers) {
    for (auto& client : clients_) client->begin();
    int64_t moved_ms = monotonic_ms();
    std::vector<Client*> resting;
    while (finished_ < clients_.size()) {
      size_t before = finished_ + held_.size();
      look_again_.start(std::chrono::milliseconds(100));
      loop_.run_turn(held_.empty() && resting.empty());
      // Not as soon as it has given back: others must have the time to join in between.
      for (Client* client : std::exchange(resting, {})) client->begin();
      while (!held_.empty() && numbers.next() % 4 != 0) {
        Client* client = held_.front();
        held_.pop_front();
        client->lease.reset();
        resting.push_back(client);
        moved_ms = monotonic_ms();
      }
      if (finished_ + held_.size() != before) moved_ms = monotonic_ms();
      if (monotonic_ms() - moved_ms > 20'000) return false;
    }
    return true;
  }

 private:
  struct Client final : Waiter {
    explicit Client(Crowd& c) : crowd(c) {}
    void begin() {
      if (done++ == crowd.rounds_) {
        ++crowd.finished_;
        return;
      }
      WaitLine& line = crowd.pool_.line();
      if (line.waiting() == 0 && take()) return crowd.held_.push_back(this);
      place = line.join(*this, crowd.mailbox_, nullptr, kMost);
      if (line.is_next(*place)) on_turn();
    }
    void on_turn() override {
      if (!take()) return crowd.pool_.line().wait_on(*place, false);
      crowd.pool_.line().begin_try(*place);
      crowd.pool_.line().leave(*place, true);
      crowd.held_.push_back(this);
    }
    bool take() {
      auto taken = crowd.pool_.acquire(Want{});
      if (taken) lease = std::move(*taken);
      return static_cast<bool>(lease);
    }
    Crowd& crowd;
    std::shared_ptr<Place> place;
    Lease lease;
    int done = 0;
  };

  Pool& pool_;
  const int rounds_;
  EventLoop loop_;
  Mailbox mailbox_{loop_};
  Timer look_again_{loop_, [] {}};
  std::vector<std::unique_ptr<Client>> clients_;
  std::deque<Client*> held_;
  size_t finished_ = 0;
};

TEST(WaitLineThreads, NobodyWaitsWhileThereIsRoom) {
  struct Row {
    size_t places;
    int clients;  // of each of three workers
    int rounds;
  };
  // With one client each, a call that is lost stays lost: nobody else comes who would end it.
  for (const Row& row : {Row{1, 1, 20'000}, Row{2, 3, 300}}) {
    Servers servers = Servers::equal(row.places);
    auto config = std::make_shared<PoolConfig>();
    RetryBudget budget(1);
    std::vector<Member> members;
    for (size_t i = 0; i < row.places; ++i) {
      members.push_back({&servers[i], ServerStatus::healthy, 1, 1, false});
    }
    Pool pool(config, members, servers.load(), budget);
    std::atomic<int> stalled{0};
    // The loops live on while the others may still post to them.
    std::vector<std::unique_ptr<Crowd>> crowds;
    for (int i = 0; i < 3; ++i) {
      crowds.push_back(std::make_unique<Crowd>(pool, row.clients, row.rounds));
    }
    run_threads(3, [&](int thread) {
      auto index = static_cast<size_t>(thread);
      if (!crowds[index]->run(Numbers(index))) ++stalled;
    });
    EXPECT_EQ(stalled, 0) << row.places;
    EXPECT_EQ(pool.line().waiting(), 0u);
    for (size_t i = 0; i < row.places; ++i) EXPECT_EQ(servers.active(i), 0u);
  }
}

}  // namespace
}  // namespace lb
