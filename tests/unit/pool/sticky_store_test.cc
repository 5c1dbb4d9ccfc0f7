// SPDX-License-Identifier: MIT
// Pools whose sticky entries are shared with other balancers.
#include "pool/sticky_store.h"

#include <gtest/gtest.h>

#include "connector_rig.h"

namespace lb {
namespace {

// A store that answers when the test says so.
class FakeStore final : public StickyStore {
 public:
  static constexpr int64_t kTimeout_ms = 50;
  struct Told {
    uint64_t hash;
    uint32_t server;
    bool has_moved;

    friend bool operator==(const Told&, const Told&) = default;
  };

  bool is_up() const override { return up; }
  int64_t timeout_ms() const override { return kTimeout_ms; }
  void ask(const StickyKey&, std::shared_ptr<StoreQuestion> question) override {
    questions.push_back(std::move(question));
  }
  void tell(const StickyKey& key, uint32_t server) override {
    told.push_back({key.hash, server, false});
  }
  void tell_move(const StickyKey& key, uint32_t server) override {
    told.push_back({key.hash, server, true});
  }
  void forget(uint64_t) override {}
  void set_servers(const std::vector<const Server*>&) override {}

  bool up = true;
  std::vector<std::shared_ptr<StoreQuestion>> questions;
  std::vector<Told> told;
};

class StickyStoreTest : public ConnectorTest, private Waiter {
 protected:
  StickyStoreTest() {
    config_->name = "pool";
    config_->sticky = StickyConfig{};
    add(4);
  }

  Pool pool() { return Pool(config_, members_, servers_.load(), budget_, nullptr, table_, store_); }
  Connector::Step next() { return connector_.next(pool(), rig_.context, key_); }
  bool turn_comes() {
    return run_until(rig_.loop, [this] { return turns_ > 0; });
  }
  // Where the key's work goes; null: nowhere.
  Server* home(Connector::Step step) {
    if (step != Connector::Step::connecting) return nullptr;
    return trying(connector_, lease_);
  }
  // A server that consistent hashing would not give the key.
  Server& another() {
    Want want;
    pool().bind(*key_.sticky, want);
    auto lease = pool().acquire(want);
    return *members_[lease->server() == members_[0].server ? 1 : 0].server;
  }

  const WorkKey key_{StickyKey{mix64(7)}};
  std::shared_ptr<StickyTable> table_ = std::make_shared<StickyTable>(StickyTable::Limits{});
  std::shared_ptr<FakeStore> store_ = std::make_shared<FakeStore>();
  Lease lease_;
  int turns_ = 0;
  Connector connector_{*this};

 private:
  void on_turn() override { ++turns_; }
};

TEST_F(StickyStoreTest, WorkWithAnUnknownKeyWaitsForTheStoresAnswer) {
  Server& known = another();
  EXPECT_EQ(next(), Connector::Step::waiting);
  ASSERT_EQ(store_->questions.size(), 1u);
  EXPECT_EQ(next(), Connector::Step::waiting) << "its turn came too early";
  table_->adopt(*key_.sticky, known.number(), monotonic_ms());
  store_->questions[0]->answer();
  ASSERT_TRUE(turn_comes());
  EXPECT_EQ(home(next()), &known);
  EXPECT_EQ(store_->questions.size(), 1u) << "once is enough";
}

TEST_F(StickyStoreTest, ItWaitsNoLongerThanItsTimeout) {
  EXPECT_EQ(next(), Connector::Step::waiting);
  EXPECT_LE(connector_.look_ms(), rig_.loop.now_ms() + FakeStore::kTimeout_ms);
  wait_until_ms(connector_.look_ms());
  EXPECT_TRUE(home(connector_.look(pool(), rig_.context, key_)));
  store_->questions[0]->answer();
  rig_.loop.run_turn();
  EXPECT_EQ(turns_, 0) << "nobody is interested any more";
}

TEST_F(StickyStoreTest, WhoIsGoneIsNotToldTheAnswer) {
  EXPECT_EQ(next(), Connector::Step::waiting);
  connector_.stop();
  store_->questions[0]->answer();
  rig_.loop.run_turn();
  EXPECT_EQ(turns_, 0);
}

TEST_F(StickyStoreTest, OnlyWhatMemoryCannotTellIsAsked) {
  Server& known = another();
  table_->put(*key_.sticky, known.number(), monotonic_ms());
  EXPECT_EQ(home(next()), &known);
  EXPECT_TRUE(store_->questions.empty());
}

TEST_F(StickyStoreTest, WithoutAKeyOrAStoreThatIsUpNobodyWaits) {
  EXPECT_TRUE(home(connector_.next(pool(), rig_.context, 0)));
  store_->up = false;
  Connector second;
  EXPECT_EQ(second.next(pool(), rig_.context, key_), Connector::Step::connecting);
  EXPECT_TRUE(store_->questions.empty());
}

TEST_F(StickyStoreTest, WhoseServerCannotBeUsedMayBeElsewhereAlready) {
  Server& first = another();
  table_->put(*key_.sticky, first.number(), monotonic_ms());
  for (Member& member : members_) {
    if (member.server == &first) member.status = ServerStatus::unhealthy;
  }
  EXPECT_EQ(next(), Connector::Step::waiting);
  table_->adopt(*key_.sticky, members_[3].server->number(), monotonic_ms());
  store_->questions[0]->answer();
  ASSERT_TRUE(turn_comes());
  EXPECT_EQ(home(next()), members_[3].server);
}

TEST_F(StickyStoreTest, AServerThatOnlyOthersHaveIsGone) {
  EXPECT_EQ(next(), Connector::Step::waiting);
  table_->adopt(*key_.sticky, 0, monotonic_ms());
  store_->questions[0]->answer();
  ASSERT_TRUE(turn_comes());
  Server* server = home(next());
  ASSERT_TRUE(server);
  pool().stick(key_, *server, monotonic_ms());
  ASSERT_EQ(store_->told.size(), 1u);
  EXPECT_TRUE(store_->told[0].has_moved);
}

TEST_F(StickyStoreTest, TheStoreIsToldWhatChanges) {
  uint64_t hash = key_.sticky->hash;
  Server& first = *members_[0].server;
  Server& second = *members_[1].server;
  int64_t now_ms = monotonic_ms();
  pool().stick(key_, first, now_ms);
  pool().stick(key_, first, now_ms + 1'000);
  members_[0].status = ServerStatus::unhealthy;
  pool().stick(key_, second, now_ms + 2'000);
  for (int uses = 0; uses < 3; ++uses) {
    Want want;
    want.now_ms = now_ms + 2'000 + config_->sticky->ttl.count() / 3;
    pool().bind(*key_.sticky, want);
  }
  std::vector<FakeStore::Told> told{
      {hash, first.number(), false}, {hash, second.number(), true}, {hash, second.number(), false}};
  EXPECT_EQ(store_->told, told);
}

TEST_F(StickyStoreTest, WhoComesByHintsIsToldOfToo) {
  int64_t ttl_ms = config_->sticky->ttl.count();
  int64_t now_ms = monotonic_ms();
  pool().stick(key_, *members_[0].server, now_ms);
  StickyKey key = *key_.sticky;
  for (int use = 0; use < 40; ++use) {
    now_ms += ttl_ms / 20;
    key.hint = pool().hint(key, now_ms);
    Want want;
    want.now_ms = now_ms;
    pool().bind(key, want);
    EXPECT_EQ(want.only, members_[0].server);
  }
  EXPECT_GE(store_->told.size(), 1u + 6u) << "in two ttl";
  EXPECT_LE(store_->told.size(), 1u + 8u);
}

TEST(StickyTable, AMoveIsUnsharedUntilTheStoreKnowsOfIt) {
  StickyTable table({});
  int64_t now_ms = monotonic_ms();
  StickyKey key{mix64(1)};
  auto is_unshared = [&] {
    return table.list_shard(key.hash >> 58, now_ms).at(0).is_unshared_move;
  };
  table.put(key, 7, now_ms);
  EXPECT_FALSE(is_unshared());
  table.put(key, 8, now_ms);
  EXPECT_TRUE(is_unshared());
  table.move_is_shared(key.hash, 7);
  EXPECT_TRUE(is_unshared()) << "that was an earlier one";
  table.move_is_shared(key.hash, 8);
  EXPECT_FALSE(is_unshared());
  table.put(key, 9, now_ms);
  table.replace(key.hash, 5);
  EXPECT_FALSE(is_unshared()) << "another balancer has moved it since";
  EXPECT_EQ(table.find(key, now_ms), 5u);
}

TEST(StickyTable, WhatOthersMovedIsOfNoInterestWhereItIsNotKnown) {
  StickyTable table({});
  table.replace(1, 5);
  EXPECT_EQ(table.size(), 0u);
}

TEST(StickyTable, AnAdoptedEntryIsNoUseOfIt) {
  StickyTable table({.max_entries = 10, .ttl = std::chrono::milliseconds(1'000)});
  int64_t now_ms = monotonic_ms();
  table.put({1}, 7, now_ms);
  table.adopt({1}, 8, now_ms + 900);
  EXPECT_EQ(table.find({1}, now_ms + 950), 8u);
  table.put({2}, 7, now_ms);
  table.adopt({2}, 8, now_ms + 900);
  EXPECT_FALSE(table.find({2}, now_ms + 1'100));
}

}  // namespace
}  // namespace lb
