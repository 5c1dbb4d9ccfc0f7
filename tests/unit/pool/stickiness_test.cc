// SPDX-License-Identifier: MIT
// Pools whose work stays with one server for each key.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/clock.h"
#include "connector_rig.h"
#include "pool/outlier.h"

namespace lb {
namespace {

class StickinessTest : public ConnectorTest {
 protected:
  StickinessTest() {
    config_->name = "pool";
    config_->sticky = StickyConfig{};
  }

  Pool pool() { return Pool(config_, members_, servers_.load(), budget_, nullptr, table_); }

  static WorkKey key(uint64_t user) { return WorkKey(StickyKey{mix64(user)}); }

  // The server that a user's work is sent to; null: it is rejected.
  Server* serve(const Pool& pool, uint64_t user) {
    Want want;
    want.now_ms = rig_.loop.now_ms();
    want.random = random_++;
    if (!pool.bind(*key(user).sticky, want)) return nullptr;
    auto lease = pool.acquire(want);
    if (!lease) return nullptr;
    pool.stick(key(user), *lease->server(), want.now_ms);
    return lease->server();
  }
  std::map<uint64_t, Server*> serve_all(const Pool& pool, uint64_t users) {
    std::map<uint64_t, Server*> homes;
    for (uint64_t user = 0; user < users; ++user) homes[user] = serve(pool, user);
    return homes;
  }

  std::shared_ptr<StickyTable> table_ = std::make_shared<StickyTable>(StickyTable::Limits{});
  uint64_t random_ = 1;
};

TEST_F(StickinessTest, EveryUserStaysWhileServersComeAndChange) {
  add(4);
  auto homes = serve_all(pool(), 1'000);
  std::set<Server*> used;
  for (auto [user, home] : homes) used.insert(home);
  EXPECT_EQ(used.size(), 4u);
  add(2);
  members_[0].weight = 0;
  members_[1].status = ServerStatus::overloaded;
  members_[2].status = ServerStatus::unknown;
  members_[3].status = ServerStatus::draining;
  EXPECT_EQ(serve_all(pool(), 1'000), homes);
}

TEST_F(StickinessTest, OnlyTheUsersOfAServerThatGoesMoveAndTheyDoNotMoveBack) {
  add(4);
  auto homes = serve_all(pool(), 1'000);
  for (ServerStatus status :
       {ServerStatus::unhealthy, ServerStatus::ejected, ServerStatus::maintenance}) {
    members_[1].status = status;
    auto moved = serve_all(pool(), 1'000);
    for (auto [user, home] : homes) {
      if (home == &servers_[1]) {
        EXPECT_NE(moved[user], home);
      } else {
        EXPECT_EQ(moved[user], home);
      }
    }
    members_[1].status = ServerStatus::healthy;
    EXPECT_EQ(serve_all(pool(), 1'000), moved);
    homes = moved;
  }
}

TEST_F(StickinessTest, DrainingEndsStickinessAtItsTime) {
  add(2);
  Server* home = serve(pool(), 1);
  Member& member = members_[home == &servers_[0] ? 0 : 1];
  member.status = ServerStatus::draining;
  member.sticks_until_ms = rig_.loop.now_ms() + 10'000;
  EXPECT_EQ(serve(pool(), 1), home);
  member.sticks_until_ms = rig_.loop.now_ms();
  EXPECT_NE(serve(pool(), 1), home);
}

TEST_F(StickinessTest, WhereTheFallbackIsRejectNobodyMoves) {
  add(2);
  config_->sticky->fallback = StickyFallback::reject;
  Server* home = serve(pool(), 1);
  Member& member = members_[home == &servers_[0] ? 0 : 1];
  member.status = ServerStatus::unhealthy;
  EXPECT_EQ(serve(pool(), 1), nullptr);
  EXPECT_NE(serve(pool(), 2), nullptr) << "a new user is nobody's yet";
  member.status = ServerStatus::healthy;
  EXPECT_EQ(serve(pool(), 1), home);
}

TEST_F(StickinessTest, BalancersThatShareNothingAgreeWhereUsersGo) {
  add(5);
  auto homes = serve_all(pool(), 500);
  table_ = std::make_shared<StickyTable>(StickyTable::Limits{});
  EXPECT_EQ(serve_all(pool(), 500), homes);
}

TEST_F(StickinessTest, NoServerIsGivenFarMoreThanItsShareOfNewUsers) {
  add(4);
  Pool all = pool();
  std::vector<Lease> open;
  for (uint64_t user = 0; user < 400; ++user) {
    Want want;
    want.random = user;
    EXPECT_TRUE(all.bind(*key(user).sticky, want));
    open.push_back(*all.acquire(want));
    all.stick(key(user), *open.back().server(), 0);
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_LE(servers_.active(i), 126u);
}

TEST_F(StickinessTest, ATryThatFailsBindsNobody) {
  add(3);
  Pool all = pool();
  Connector connector;
  Lease lease;
  ASSERT_EQ(connector.next(all, rig_.context, key(1)), Connector::Step::connecting);
  Server* first = trying(connector, lease);
  EXPECT_EQ(table_->size(), 0u);
  connector.take_fd();
  ASSERT_EQ(connector.failed(ECONNREFUSED, std::move(lease), all, rig_.context, key(1)),
            Connector::Step::connecting);
  Server* second = trying(connector, lease);
  EXPECT_NE(second, first);
  connector.connected();
  all.stick(key(1), *second, rig_.loop.now_ms());
  EXPECT_EQ(serve(all, 1), second);
}

TEST_F(StickinessTest, OneRefusedConnectMovesNobodyForGood) {
  add(3);
  Pool all = pool();
  Server* home = serve(all, 1);
  home->avoid_until_ms = rig_.loop.now_ms() + 10'000;
  Server* other = serve(all, 1);
  EXPECT_NE(other, home);
  other->active().store(100);
  EXPECT_EQ(serve(all, 1), other) << "meanwhile it is always the same one, however busy";
  home->avoid_until_ms = 0;
  EXPECT_EQ(serve(all, 1), home);
  home->avoid_until_ms = rig_.loop.now_ms() + 10'000;
  for (Member& member : members_) {
    if (member.server == home) member.status = ServerStatus::unhealthy;
  }
  other = serve(pool(), 1);
  EXPECT_NE(other, home);
  home->avoid_until_ms = 0;
  EXPECT_EQ(serve(all, 1), other) << "it was down, so its users are another's now";
}

TEST_F(StickinessTest, OneClientTriesItsServerThatIsBackTheOthersWait) {
  add(3);
  Pool all = pool();
  Server* home = serve(all, 1);
  home->next_trial_ms = rig_.loop.now_ms() + 10'000;
  EXPECT_NE(serve(all, 1), home) << "it was ejected a moment ago";
  home->next_trial_ms = rig_.loop.now_ms();
  EXPECT_EQ(serve(all, 1), home);
  EXPECT_NE(serve(all, 1), home) << "that was the trial";
  home->next_trial_ms = rig_.loop.now_ms();
  Want want;
  want.now_ms = rig_.loop.now_ms();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(all.bind(*key(1).sticky, want));
    EXPECT_EQ(want.only, home) << "whose trial it is may be bound again";
  }
  home->avoid_until_ms = want.now_ms + 1'000;
  ASSERT_TRUE(all.bind(*key(1).sticky, want));
  EXPECT_EQ(want.only, nullptr) << "others could not connect meanwhile";
  home->avoid_until_ms = 0;
  count_success(*home);
  EXPECT_EQ(serve(all, 1), home);
  EXPECT_EQ(serve(all, 1), home);
  Want early;
  early.now_ms = rig_.loop.now_ms();
  ASSERT_TRUE(all.bind(*key(1).sticky, early));
  EXPECT_EQ(early.only, home);
  home->next_trial_ms = early.now_ms + 10'000;
  ASSERT_TRUE(all.bind(*key(1).sticky, early));
  EXPECT_EQ(early.only, nullptr) << "it was ejected while this one waited";
}

TEST_F(StickinessTest, WhoMustNotMoveTriesItsOwnServerAgain) {
  add(3);
  config_->sticky->fallback = StickyFallback::reject;
  Pool all = pool();
  Server* home = serve(all, 1);
  home->avoid_until_ms = rig_.loop.now_ms() + 10'000;
  EXPECT_EQ(serve(all, 1), home) << "there is nobody else for it";
  Want want;
  want.tried.push_back(home);
  ASSERT_TRUE(all.bind(*key(1).sticky, want));
  auto lease = all.acquire(want);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error(), NoServer::none_usable) << "after a pause";
}

TEST_F(StickinessTest, AClientMayBringItsServerItself) {
  add(3);
  table_.reset();
  Pool all = pool();
  StickyKey own{.server = servers_[1].number()};
  Want want;
  ASSERT_TRUE(all.bind(own, want));
  EXPECT_EQ(want.only, &servers_[1]);
  EXPECT_TRUE(all.is_away(own, servers_[0], 0));
  EXPECT_FALSE(all.is_away(own, servers_[1], 0));
  StickyKey gone{.server = UINT32_MAX};
  ASSERT_TRUE(all.bind(gone, want));
  EXPECT_EQ(want.only, nullptr);
  EXPECT_FALSE(want.sticky_hash) << "balance chooses";
  EXPECT_FALSE(all.is_away(gone, servers_[0], 0));
  config_->sticky->fallback = StickyFallback::reject;
  EXPECT_FALSE(pool().bind(gone, want));
}

TEST_F(StickinessTest, WhoseServerIsFullWaitsForThatOne) {
  class Owner : public Waiter {
   public:
    void on_turn() override { called = true; }
    bool called = false;
  };
  add(2);
  for (Member& member : members_) member.limit = 1;
  Pool all = pool();
  Server* home = serve(all, 1);
  Server* other = home == &servers_[0] ? &servers_[1] : &servers_[0];
  home->active()++;
  Lease held(home);
  Owner owner;
  Connector connector(owner);
  ASSERT_EQ(connector.next(all, rig_.context, key(1)), Connector::Step::waiting);
  other->active()++;
  Lease(other).reset();
  EXPECT_TRUE(stays_away(
      rig_.loop, [&] { return owner.called; }, std::chrono::milliseconds(20)))
      << "room elsewhere is not for it";
  held.reset();
  run_until(rig_.loop, [&] { return owner.called; });
  ASSERT_EQ(connector.next(all, rig_.context, key(1)), Connector::Step::connecting);
  Lease lease;
  EXPECT_EQ(trying(connector, lease), home);
}

TEST_F(StickinessTest, AWaiterWhoseServerGoesTakesAnother) {
  class Owner : public Waiter {
   public:
    void on_turn() override {}
  };
  add(2);
  for (Member& member : members_) member.limit = 1;
  Pool before = pool();
  Server* home = serve(before, 1);
  home->active()++;
  Lease held(home);
  Owner owner;
  Connector connector(owner);
  ASSERT_EQ(connector.next(before, rig_.context, key(1)), Connector::Step::waiting);
  members_[home == &servers_[0] ? 0 : 1].status = ServerStatus::unhealthy;
  Pool after = pool();
  ASSERT_EQ(connector.next(after, rig_.context, key(1)), Connector::Step::connecting);
  Lease lease;
  EXPECT_NE(trying(connector, lease), home);
}

}  // namespace
}  // namespace lb
