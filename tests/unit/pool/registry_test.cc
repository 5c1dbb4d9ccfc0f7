// SPDX-License-Identifier: MIT
#include "pool/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "common/hash.h"
#include "registry_rig.h"

namespace lb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(RegistryTest, BeginsWithWhatTheConfigurationSays) {
  ServerConfig special = server("b", "10.0.0.2:80");
  special.weight = 7;
  special.max_connections = 9;
  special.backup = true;
  set_pool("web", {server("a", "10.0.0.1:80"), special});
  set_pool("db", {server("a", "10.0.0.9:5432")});
  EXPECT_FALSE(registry_.dirty());
  auto changes = apply();
  EXPECT_TRUE(registry_.dirty());
  EXPECT_THAT(names_of(changes.added), UnorderedElementsAre("web/a", "web/b", "db/a"));
  EXPECT_THAT(changes.removed, IsEmpty());
  EXPECT_THAT(members("web"), ElementsAre("a", "b"));
  EXPECT_FALSE(registry_.dirty());

  Member b = member("web", "b");
  EXPECT_EQ(b.weight, 7u);
  EXPECT_EQ(b.limit, 9u);
  EXPECT_TRUE(b.backup);
  EXPECT_EQ(b.status, ServerStatus::unknown);
  EXPECT_EQ(b.server->address().to_string(), "10.0.0.2:80");
  EXPECT_EQ(b.server->cells().size(), 2u) << "one for each worker";
  Member a = member("web", "a");
  EXPECT_EQ(a.weight, 1u);
  EXPECT_EQ(a.limit, kNoLimit);
  EXPECT_FALSE(a.backup);
}

TEST_F(RegistryTest, AnUnchangedServerKeepsItsHealthItsCountersAndItsWork) {
  set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
  apply();
  Server* a = find("web", "a");
  registry_.set_health(*a, Health::healthy, "checked");
  a->cell(1).connections = 5;
  auto lease = registry_.pools()["web"]->acquire(Want{});
  ASSERT_EQ(lease->server(), a);

  // Everything around it changes, its own settings too.
  ServerConfig heavier = server("a", "10.0.0.1:80");
  heavier.weight = 50;
  set_pool("web", {server("c", "10.0.0.3:80"), heavier});
  auto changes = apply();
  EXPECT_EQ(find("web", "a"), a);
  EXPECT_THAT(names_of(changes.added), ElementsAre("web/c"));
  EXPECT_THAT(names_of(changes.removed), ElementsAre("web/b"));
  Member member_a = member("web", "a");
  EXPECT_EQ(member_a.status, ServerStatus::healthy);
  EXPECT_EQ(member_a.weight, 50u);
  EXPECT_EQ(a->cell(1).connections, 5u);
  EXPECT_EQ(a->active(), 1u);
}

TEST_F(RegistryTest, ClientsThatMustNotMoveHaveTheirServerAgainWhenItComesBack) {
  for (StickyFallback fallback : {StickyFallback::reject, StickyFallback::rebalance}) {
    set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
    config_.pools["web"].sticky = StickyConfig{.fallback = fallback};
    apply();
    uint32_t number = find("web", "a")->number();
    const StickyKey key{mix64(7)};
    registry_.pools()["web"]->stick(WorkKey(key), *find("web", "a"), now_ms_);
    set_pool("web", {server("b", "10.0.0.2:80")});
    apply();
    registry_.pools();
    registry_.collect();
    Want want;
    want.now_ms = now_ms_;
    bool may_move = fallback == StickyFallback::rebalance;
    EXPECT_EQ(registry_.pools()["web"]->bind(key, want), may_move);
    set_pool("web", {server("a", "10.0.0.3:80"), server("b", "10.0.0.2:80")});
    apply();
    EXPECT_NE(find("web", "a")->number(), number) << "another address is another server";
    set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
    apply();
    EXPECT_EQ(find("web", "a")->number() == number, !may_move);
    ASSERT_TRUE(registry_.pools()["web"]->bind(key, want));
    EXPECT_EQ(want.only, may_move ? nullptr : find("web", "a"));
  }
}

TEST_F(RegistryTest, AServerIsItsPoolItsNameAndItsAddress) {
  struct Row {
    const char* what;
    std::string pool;
    std::string name;
    std::string address;
    bool same;
  };
  const Row rows[] = {
      {"nothing changed", "web", "a", "10.0.0.1:80", true},
      {"another address", "web", "a", "10.0.0.2:80", false},
      {"another port", "web", "a", "10.0.0.1:81", false},
      {"another name", "web", "b", "10.0.0.1:80", false},
      {"another pool", "shop", "a", "10.0.0.1:80", false},
  };
  for (const Row& row : rows) {
    PoolRegistry registry(1);
    Config before;
    before.pools["web"].name = "web";
    before.pools["web"].servers = {server("a", "10.0.0.1:80")};
    Server* old = registry.apply(before, {}, 0).added.at(0);
    registry.set_health(*old, Health::healthy, "checked");
    Config after;
    after.pools[row.pool].name = row.pool;
    after.pools[row.pool].servers = {server(row.name, row.address)};
    auto changes = registry.apply(after, {}, 0);
    EXPECT_EQ(changes.added.empty(), row.same) << row.what;
    EXPECT_EQ(changes.removed.empty(), row.same) << row.what;
    if (!changes.added.empty()) {
      EXPECT_NE(changes.added[0], old) << row.what;
      EXPECT_EQ(registry.status(*changes.added[0]), ServerStatus::unknown) << row.what;
    }
  }
}

TEST_F(RegistryTest, PoolsThatDidNotChangeStayTheSameObjects) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  set_pool("db", {server("a", "10.0.0.9:5432"), named_host("h", "db.example", 5432)});
  names_["db.example"] = ips({"10.0.1.1", "10.0.1.2"});
  apply();
  auto first = registry_.pools();
  EXPECT_EQ(registry_.pools(), first);

  apply();
  EXPECT_FALSE(registry_.dirty());
  EXPECT_EQ(registry_.pools(), first) << "the same configuration again";

  registry_.set_health(*find("web", "a"), Health::unknown, "checked");
  EXPECT_EQ(registry_.pools(), first) << "the health it had";

  config_.pools["web"].retries.attempts = 5;
  apply();
  auto second = registry_.pools();
  EXPECT_NE(second["web"], first["web"]);
  EXPECT_EQ(second["web"]->config().retries.attempts, 5u);
  EXPECT_EQ(second["db"], first["db"]);

  registry_.set_health(*find("db", "a"), Health::healthy, "checked");
  EXPECT_TRUE(registry_.dirty());
  auto third = registry_.pools();
  EXPECT_EQ(third["web"], second["web"]);
  EXPECT_NE(third["db"], second["db"]);

  names_["db.example"] = ips({"10.0.1.1"});
  apply();
  auto fourth = registry_.pools();
  EXPECT_EQ(fourth["web"], third["web"]);
  EXPECT_NE(fourth["db"], third["db"]) << "a name stands for other addresses";
  EXPECT_EQ(registry_.pools(), fourth);
}

TEST_F(RegistryTest, EverySettingOfAPoolAndItsServersIsAChange) {
  const std::vector<std::function<void(PoolConfig&)>> changes = {
      [](PoolConfig& pool) { pool.balance = Balance::random; },
      [](PoolConfig& pool) { pool.hash_on = HashOn::source_ip_port; },
      [](PoolConfig& pool) { pool.source = ips({"127.0.0.2"}); },
      [](PoolConfig& pool) { pool.health_check.port = 9'000; },
      [](PoolConfig& pool) { pool.health_check.expect = "+PONG"; },
      [](PoolConfig& pool) { pool.retries.budget_percent = 1; },
      [](PoolConfig& pool) { pool.outlier_detection = OutlierConfig{}; },
      [](PoolConfig& pool) { pool.queue.size = 5; },
      [](PoolConfig& pool) { pool.hold = milliseconds(5); },
      [](PoolConfig& pool) { pool.slow_start = milliseconds(5); },
      [](PoolConfig& pool) { pool.on_down = OnDown::close; },
      [](PoolConfig& pool) { pool.connect_timeout = milliseconds(1); },
      [](PoolConfig& pool) { pool.send_proxy_protocol = SendProxyProtocol::v2; },
      [](PoolConfig& pool) { pool.servers[0].weight = 2; },
      [](PoolConfig& pool) { pool.servers[0].max_connections = 2; },
      [](PoolConfig& pool) { pool.servers[0].backup = true; },
      [](PoolConfig& pool) { std::swap(pool.servers[0], pool.servers[1]); },
  };
  set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
  apply();
  auto before = registry_.pools();
  for (size_t i = 0; i < changes.size(); ++i) {
    changes[i](config_.pools["web"]);
    auto changed = apply();
    EXPECT_TRUE(registry_.dirty()) << i;
    EXPECT_TRUE(changed.added.empty() && changed.removed.empty()) << i;
    auto after = registry_.pools();
    EXPECT_NE(after["web"], before["web"]) << i;
    before = after;
  }
}

TEST_F(RegistryTest, AnEarlierSnapshotKeepsWhatItKnew) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  registry_.set_health(*find("web", "a"), Health::healthy, "checked");
  auto before = registry_.pools()["web"];
  registry_.set_health(*find("web", "a"), Health::unhealthy, "checked");
  auto after = registry_.pools()["web"];
  EXPECT_TRUE(before->acquire(Want{}));
  EXPECT_FALSE(after->acquire(Want{}));
}

TEST_F(RegistryTest, WithoutChecksEverybodyIsHealthy) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  config_.pools["web"].health_check.enabled = false;
  apply();
  EXPECT_EQ(member("web", "a").status, ServerStatus::healthy);
}

TEST_F(RegistryTest, TheHealthOfAServerThatIsGoneIsOfNoInterest) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  Server* a = find("web", "a");
  set_pool("web", {});
  apply();
  registry_.pools();
  registry_.set_health(*a, Health::healthy, "checked");
  EXPECT_FALSE(registry_.dirty());
  EXPECT_EQ(registry_.status(*a), ServerStatus::draining);
}

TEST_F(RegistryTest, AHostNameIsOneServerForEachOfItsAddresses) {
  ServerConfig db = named_host("db", "db.example", 5432);
  db.weight = 3;
  db.max_connections = 4;
  set_pool("web", {db, server("a", "10.0.0.9:5432")});
  apply();
  EXPECT_THAT(members("web"), ElementsAre("a")) << "not resolved yet";
  names_["db.example"] = ips({"10.0.1.1", "2001:db8::1"});
  auto changes = apply();
  EXPECT_THAT(names_of(changes.added),
              ElementsAre("web/db/10.0.1.1:5432", "web/db/[2001:db8::1]:5432"));
  EXPECT_THAT(members("web"), ElementsAre("db/10.0.1.1:5432", "db/[2001:db8::1]:5432", "a"));
  Member first = member("web", "db/10.0.1.1:5432");
  EXPECT_EQ(first.server->address().to_string(), "10.0.1.1:5432");
  EXPECT_EQ(first.weight, 3u);
  EXPECT_EQ(first.limit, 4u);

  registry_.set_health(*first.server, Health::healthy, "checked");
  names_["db.example"] = ips({"10.0.1.1", "10.0.1.7"});
  changes = apply();
  EXPECT_THAT(names_of(changes.added), ElementsAre("web/db/10.0.1.7:5432"));
  EXPECT_THAT(names_of(changes.removed), ElementsAre("web/db/[2001:db8::1]:5432"));
  EXPECT_EQ(member("web", "db/10.0.1.1:5432").server, first.server);
  EXPECT_EQ(member("web", "db/10.0.1.1:5432").status, ServerStatus::healthy);
}

TEST_F(RegistryTest, ARemovedServerIsFreedWhenIdleAndForgottenEverywhere) {
  struct Row {
    const char* what;
    bool held;  // somebody still has a pool with it
    bool busy;
    bool freed;
  };
  const Row rows[] = {
      {"a worker may still pick it", true, false, false},
      {"it has work", false, true, false},
      {"both", true, true, false},
      {"neither", false, false, true},
  };
  for (const Row& row : rows) {
    Config config;
    config.pools["web"].name = "web";
    config.pools["web"].servers = {server("a", "10.0.0.1:80")};
    PoolRegistry registry(1);
    Server* a = registry.apply(config, {}, 0).added.at(0);
    LoadTable::Counter& slot = a->active();
    auto held = registry.pools()["web"];
    if (!row.held) held.reset();
    if (row.busy) ++slot;
    config.pools["web"].servers.clear();
    registry.apply(config, {}, 0);
    registry.pools();
    registry.collect();
    // Whether its slot is free again tells whether it is gone.
    config.pools["web"].servers = {server("b", "10.0.0.2:80")};
    Server* b = registry.apply(config, {}, 0).added.at(0);
    EXPECT_EQ(&b->active() == &slot, row.freed) << row.what;
  }
}

TEST_F(RegistryTest, WorkThatEndsLaterLetsItGoLater) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  config_.pools["web"].health_check.enabled = false;
  apply();
  Lease lease = std::move(*registry_.pools()["web"]->acquire(Want{}));
  LoadTable::Counter& slot = lease.server()->active();
  set_pool("web", {});
  apply();
  registry_.pools();
  registry_.collect();
  EXPECT_EQ(lease.server()->name(), "a") << "still there";
  lease.reset();
  registry_.collect();
  set_pool("web", {server("b", "10.0.0.2:80")});
  EXPECT_EQ(&apply().added.at(0)->active(), &slot);
}

TEST_F(RegistryTest, OverdueServersAreToldOnce) {
  set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
  apply();
  ++find("web", "a")->active();
  ++find("web", "b")->active();
  Server* a = find("web", "a");
  Server* b = find("web", "b");
  set_pool("web", {server("b", "10.0.0.2:80")});
  apply(1'000);
  set_pool("web", {});
  apply(2'000);
  EXPECT_THAT(registry_.overdue(999), IsEmpty());
  EXPECT_THAT(registry_.overdue(1'000), ElementsAre(a));
  EXPECT_THAT(registry_.overdue(1'500), IsEmpty());
  EXPECT_THAT(registry_.overdue(3'000), ElementsAre(b));
  EXPECT_THAT(registry_.overdue(9'000), IsEmpty());
  --a->active();
  --b->active();
}

TEST_F(RegistryTest, AServerThatComesBackWhileItDrainsGoesOnWithItsWork) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  Server* old = find("web", "a");
  ++old->active();
  set_pool("web", {});
  apply();
  set_pool("web", {server("a", "10.0.0.1:80")});
  EXPECT_EQ(apply().added.at(0), old);
  EXPECT_EQ(old->active(), 1u);
  EXPECT_THAT(registry_.overdue(5'000), IsEmpty());
  --old->active();
  registry_.pools();
  registry_.collect();
  EXPECT_EQ(find("web", "a"), old);
}

TEST_F(RegistryTest, APoolThatIsGoneHasNoServersAndMayComeBack) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  set_pool("db", {server("a", "10.0.0.9:5432")});
  apply();
  registry_.pools();
  config_.pools.erase("web");
  auto changes = apply();
  EXPECT_THAT(names_of(changes.removed), ElementsAre("web/a"));
  // A removed listener's last connections may still look for a server there.
  auto gone = registry_.pools()["web"];
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->acquire(Want{}).error(), NoServer::none_usable);
  registry_.collect();
  apply();
  EXPECT_FALSE(registry_.pools().contains("web")) << "nobody works there any more";
  registry_.collect();
  EXPECT_EQ(gone->acquire(Want{}).error(), NoServer::none_usable) << "somebody holds it";
  EXPECT_EQ(find("web", "a"), nullptr);

  set_pool("web", {server("a", "10.0.0.1:80")});
  EXPECT_THAT(names_of(apply().added), ElementsAre("web/a"));
  EXPECT_THAT(members("web"), ElementsAre("a"));
}

TEST_F(RegistryTest, TheRoundGoesOnOverAReload) {
  set_pool("web", {server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")});
  config_.pools["web"].health_check.enabled = false;
  apply();
  std::string order;
  for (int i = 0; i < 8; ++i) {
    config_.pools["web"].retries.attempts = static_cast<uint32_t>(i);
    apply();
    order += registry_.pools()["web"]->acquire(Want{})->server()->name();
  }
  EXPECT_TRUE(order == "abababab" || order == "babababa") << order;
}

TEST_F(RegistryTest, ManyReloadsLeaveNothingBehind) {
  std::set<const LoadTable::Counter*> slots;
  for (int i = 0; i < 500; ++i) {
    set_pool("web", {server("a", "10.0.0." + std::to_string(i % 250) + ":80")});
    for (Server* added : apply().added) slots.insert(&added->active());
    registry_.pools();
    registry_.collect();
  }
  EXPECT_LE(slots.size(), 3u);
}

TEST_F(RegistryTest, APoolThatIsGoneGoesOnWhileItsServersHaveWork) {
  set_pool("web", {server("a", "10.0.0.1:80")});
  apply();
  auto held = registry_.pools()["web"];
  Server* a = find("web", "a");
  ++a->active();
  config_.pools.erase("web");
  apply();
  registry_.pools();
  registry_.collect();
  EXPECT_TRUE(registry_.pools().contains("web"));
  --a->active();
  registry_.collect();
  EXPECT_TRUE(registry_.pools().contains("web")) << "a snapshot has its server";
  held.reset();
  registry_.collect();
  EXPECT_FALSE(registry_.pools().contains("web"));
}

TEST_F(RegistryTest, NamesThatComeAndGoLeaveNothingBehind) {
  for (int i = 0; i < 500; ++i) {
    config_.pools.clear();
    set_pool("web" + std::to_string(i), {server("a", "10.0.0.1:80")});
    apply();
    registry_.pools();
    registry_.collect();
    EXPECT_LE(registry_.pools().size(), 2u);
  }
}

}  // namespace
}  // namespace lb
