// SPDX-License-Identifier: MIT
#include "pool/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "servers.h"

namespace lb {
namespace {

constexpr Balance kAll[] = {
    Balance::round_robin, Balance::least_connections, Balance::least_response_time,
    Balance::least_load,  Balance::source_ip_hash,    Balance::hash,
    Balance::random};

struct World {
  explicit World(size_t count, Balance balance = Balance::round_robin)
      : servers(Servers::equal(count)) {
    config->balance = balance;
    for (size_t i = 0; i < count; ++i) {
      members.push_back({&servers[i], ServerStatus::healthy, 1, kNoLimit, false});
    }
  }
  Pool pool() { return Pool(config, members, servers.load(), budget); }
  Want want() {
    Want result;
    result.key_hash = numbers.next();
    result.random = numbers.next();
    result.now_ms = 1'000;
    return result;
  }
  // How often each server is granted, with each lease given back at once.
  // Fourteen in a millisecond.
  std::vector<uint32_t> grants(const Pool& pool, int count) {
    std::vector<uint32_t> counts(servers.size(), 0);
    for (int i = 0; i < count; ++i) {
      Want one = want();
      one.now_ms += i / 14;
      auto lease = pool.acquire(one);
      for (size_t s = 0; lease && s < servers.size(); ++s) {
        if (lease->server() == &servers[s]) ++counts[s];
      }
    }
    return counts;
  }

  Servers servers;
  std::shared_ptr<PoolConfig> config = std::make_shared<PoolConfig>();
  std::vector<Member> members;
  RetryBudget budget{1};
  Numbers numbers;
};

class EveryBalance : public testing::TestWithParam<Balance> {};
INSTANTIATE_TEST_SUITE_P(Pool, EveryBalance, testing::ValuesIn(kAll));

TEST_P(EveryBalance, ALeaseIsCountedAndGivenBack) {
  World world(3, GetParam());
  Pool pool = world.pool();
  auto lease = pool.acquire(world.want());
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->server()->active().load(), 1U);
  Server* server = lease->server();
  *lease = Lease();
  EXPECT_EQ(server->active().load(), 0U);
}

TEST_P(EveryBalance, TriedServersAreNotGrantedAgain) {
  World world(5, GetParam());
  Pool pool = world.pool();
  Want want = world.want();
  for (size_t i = 0; i < 5; ++i) {
    auto lease = pool.acquire(want);
    ASSERT_TRUE(lease);
    EXPECT_EQ(std::count(want.tried.begin(), want.tried.end(), lease->server()), 0);
    want.tried.push_back(lease->server());
  }
  EXPECT_EQ(pool.acquire(want).error(), NoServer::none_usable);
}

TEST_P(EveryBalance, AFullServerIsLeftToTheOthersUntilAllAreFull) {
  World world(4, GetParam());
  for (Member& member : world.members) member.limit = 2;
  world.members.push_back({&world.servers.add(1), ServerStatus::healthy, 1, kNoLimit, true});
  Pool pool = world.pool();
  std::vector<Lease> leases;
  for (int i = 0; i < 8; ++i) {
    auto lease = pool.acquire(world.want());
    ASSERT_TRUE(lease) << i;
    leases.push_back(std::move(*lease));
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(world.servers.active(i), 2U);
  EXPECT_EQ(pool.acquire(world.want()).error(), NoServer::all_full)
      << "backups do not relieve full servers";
  Server* freed = leases[3].server();
  leases[3].reset();
  EXPECT_EQ(pool.acquire(world.want())->server(), freed);
}

TEST_P(EveryBalance, TheLimitIsNeverExceededUnderContention) {
  World world(2, GetParam());
  for (Member& member : world.members) member.limit = 3;
  Pool pool = world.pool();
  std::atomic<uint32_t> above{0};
  std::atomic<uint32_t> refused{0};
  run_threads(4, [&](int thread) {
    Numbers numbers(static_cast<uint64_t>(thread));
    std::vector<Lease> held;
    for (int i = 0; i < 5'000; ++i) {
      Want want;
      want.key_hash = numbers.next();
      want.random = numbers.next();
      auto lease = pool.acquire(want);
      if (!lease) {
        ++refused;
        held.clear();
        continue;
      }
      if (lease->server()->active().load() > 3) ++above;
      held.push_back(std::move(*lease));
      if (numbers.next() % 3 == 0) held.pop_back();
    }
  });
  EXPECT_EQ(above, 0U);
  EXPECT_GT(refused, 100U);
  EXPECT_EQ(world.servers.active(0) + world.servers.active(1), 0U);
}

TEST_P(EveryBalance, NobodyIsRefusedWhoFitsUnderTheLimit) {
  World world(1, GetParam());
  world.members[0].limit = 4;
  Pool pool = world.pool();
  std::atomic<uint32_t> refused{0};
  run_threads(4, [&](int) {
    for (int i = 0; i < 10'000; ++i) {
      if (!pool.acquire({})) ++refused;
    }
  });
  EXPECT_EQ(refused, 0U);
}

TEST_P(EveryBalance, AnAvoidedServerIsPassedOverUnlessNobodyElseIsLeft) {
  World world(3, GetParam());
  world.members.push_back({&world.servers.add(1), ServerStatus::healthy, 1, kNoLimit, true});
  Pool pool = world.pool();
  world.servers[1].avoid_until_ms = 2'000;
  EXPECT_EQ(world.grants(pool, 100)[1], 0U);

  Want want = world.want();
  want.tried = {&world.servers[0], &world.servers[2]};
  EXPECT_EQ(pool.acquire(want)->server(), &world.servers[1]) << "before any backup";
  want.tried.push_back(&world.servers[1]);
  EXPECT_EQ(pool.acquire(want)->server(), &world.servers[3]);

  want = world.want();
  want.now_ms = 2'000;
  want.tried = {&world.servers[0]};
  bool granted = false;
  for (int i = 0; i < 50 && !granted; ++i) {
    want.random = world.numbers.next();
    want.key_hash = world.numbers.next();
    granted = pool.acquire(want)->server() == &world.servers[1];
  }
  EXPECT_TRUE(granted) << "its time is over";
}

TEST_P(EveryBalance, WhenAllAreAvoidedTheyAreServedAsUsual) {
  World world(3, GetParam());
  for (size_t i = 0; i < 3; ++i) world.servers[i].avoid_until_ms = 5'000;
  Pool pool = world.pool();
  auto counts = world.grants(pool, 300);
  for (uint32_t granted : counts) EXPECT_GT(granted, 50U);
}

TEST_P(EveryBalance, OneThatIsNotTrustedIsTriedOnceUnlessNobodyElseIsLeft) {
  World world(3, GetParam());
  Pool pool = world.pool();
  world.servers[1].next_trial_ms = 1'000;
  EXPECT_EQ(world.grants(pool, 300)[1], 1U);
  Want want = world.want();
  want.tried = {&world.servers[0], &world.servers[2]};
  EXPECT_EQ(pool.acquire(want)->server(), &world.servers[1]);
}

TEST_P(EveryBalance, OfAllThreadsOneTriesIt) {
  World world(3, GetParam());
  Pool pool = world.pool();
  world.servers[1].next_trial_ms = 1'000;
  std::atomic<uint32_t> trials{0};
  run_threads(4, [&](int thread) {
    Numbers numbers(static_cast<uint64_t>(thread) + 1);
    for (int i = 0; i < 1'000; ++i) {
      Want want;
      want.key_hash = numbers.next();
      want.random = numbers.next();
      want.now_ms = 1'000;
      if (pool.acquire(want)->server() == &world.servers[1]) ++trials;
    }
  });
  EXPECT_EQ(trials, 1U);
}

TEST_P(EveryBalance, AnAvoidedServerIsUsedWhenTheOthersAreFull) {
  World world(2, GetParam());
  world.members[0].limit = 1;
  world.servers[1].avoid_until_ms = 5'000;
  Pool pool = world.pool();
  auto first = pool.acquire(world.want());
  EXPECT_EQ(first->server(), &world.servers[0]);
  EXPECT_EQ(pool.acquire(world.want())->server(), &world.servers[1]);
}

TEST_P(EveryBalance, AThousandServersWithThreeHundredDown) {
  World world(1'000, GetParam());
  Numbers numbers;
  for (int down = 0; down < 300;) {
    Member& member = world.members[numbers.next() % 1'000];
    if (member.status == ServerStatus::unhealthy) continue;
    member.status = ServerStatus::unhealthy;
    ++down;
  }
  Pool pool = world.pool();
  std::vector<uint32_t> counts = world.grants(pool, 14'000);
  size_t served = 0;
  for (size_t i = 0; i < 1'000; ++i) {
    if (world.members[i].status == ServerStatus::unhealthy) {
      ASSERT_EQ(counts[i], 0U);
    } else if (counts[i] > 0) {
      ++served;
    }
  }
  EXPECT_EQ(served, 700U);
}

TEST_P(EveryBalance, AThousandFullServersOneOfThemWithRoom) {
  World world(1'000, GetParam());
  for (size_t i = 0; i < 1'000; ++i) {
    world.members[i].limit = 10;
    world.servers[i].active() = 10;
  }
  Pool pool = world.pool();
  EXPECT_EQ(pool.acquire(world.want()).error(), NoServer::all_full);
  world.servers[321].active() = 9;
  EXPECT_EQ(pool.acquire(world.want())->server(), &world.servers[321]);
}

struct GroupCase {
  const char* name;
  std::vector<Member> members;  // without servers
  std::vector<uint32_t> expected;
};

class PoolGroups : public testing::TestWithParam<GroupCase> {};

constexpr Member member(ServerStatus status, bool backup = false, uint32_t weight = 1) {
  return {nullptr, status, weight, kNoLimit, backup};
}

constexpr Member kHealthy = member(ServerStatus::healthy);
constexpr Member kOverloaded = member(ServerStatus::overloaded);
constexpr Member kUnknown = member(ServerStatus::unknown);
constexpr Member kUnhealthy = member(ServerStatus::unhealthy);
constexpr Member kEjected = member(ServerStatus::ejected);
constexpr Member kDraining = member(ServerStatus::draining);
constexpr Member kMaintenance = member(ServerStatus::maintenance);
constexpr Member kBackup = member(ServerStatus::healthy, true);
constexpr Member kOverloadedBackup = member(ServerStatus::overloaded, true);
constexpr Member kUnknownBackup = member(ServerStatus::unknown, true);
constexpr Member kWeightless = member(ServerStatus::healthy, false, 0);

TEST_P(PoolGroups, TheFirstGroupThatIsNotEmptyWins) {
  World world(GetParam().members.size());
  for (size_t i = 0; i < world.members.size(); ++i) {
    world.members[i] = GetParam().members[i];
    world.members[i].server = &world.servers[i];
  }
  Pool pool = world.pool();
  EXPECT_EQ(world.grants(pool, 12), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, PoolGroups,
    testing::Values(
        GroupCase{"Healthy", {kHealthy, kUnknown, kBackup, kOverloaded, kHealthy}, {6, 0, 0, 0, 6}},
        GroupCase{"Overloaded", {kUnknown, kOverloaded, kBackup, kOverloaded}, {0, 6, 0, 6}},
        GroupCase{"Unknown", {kUnhealthy, kUnknown, kBackup, kUnknownBackup}, {0, 12, 0, 0}},
        GroupCase{"HealthyBackup", {kOverloadedBackup, kBackup, kUnknownBackup}, {0, 12, 0}},
        GroupCase{"OverloadedBackup", {kEjected, kOverloadedBackup, kUnknownBackup}, {0, 12, 0}},
        GroupCase{"UnknownBackup", {kUnhealthy, kDraining, kUnknownBackup}, {0, 0, 12}},
        GroupCase{
            "Never", {kUnhealthy, kEjected, kDraining, kMaintenance, kWeightless}, {0, 0, 0, 0, 0}},
        GroupCase{"WeightlessBesideHealthy", {kWeightless, kHealthy}, {0, 12}},
        GroupCase{"Empty", {}, {}}),
    [](const auto& row) { return row.param.name; });

TEST(Pool, NobodyUsableIsNotTheSameAsFull) {
  World world(1);
  world.members[0].status = ServerStatus::unhealthy;
  Pool pool = world.pool();
  EXPECT_EQ(pool.acquire(world.want()).error(), NoServer::none_usable);
}

TEST(Pool, OnceEveryServerOfAGroupWasTriedTheNextGroupHasItsTurn) {
  World world(4);
  world.members[1].status = ServerStatus::unknown;
  world.members[2].backup = true;
  world.members[3].status = ServerStatus::unknown;
  world.members[3].backup = true;
  Pool pool = world.pool();
  Want want = world.want();
  for (size_t i = 0; i < 4; ++i) {
    auto lease = pool.acquire(want);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->server(), &world.servers[i]);
    want.tried.push_back(lease->server());
  }
}

TEST(Pool, TriedServersThatAreFullTooLetTheBackupsHaveTheirTurn) {
  World world(2);
  world.members[0].limit = 1;
  world.members[1].backup = true;
  world.servers[0].active() = 1;
  Pool pool = world.pool();
  Want want = world.want();
  EXPECT_EQ(pool.acquire(want).error(), NoServer::all_full);
  want.tried = {&world.servers[0]};
  EXPECT_EQ(pool.acquire(want)->server(), &world.servers[1]);
}

TEST(Pool, LeastConnectionsIsExactAcrossThreads) {
  for (int round = 0; round < 5; ++round) {
    World world(7, Balance::least_connections);
    Pool pool = world.pool();
    std::array<std::vector<Lease>, 4> leases;
    run_threads(4, [&](int thread) {
      for (int i = 0; i < 3'500; ++i) {
        leases[static_cast<size_t>(thread)].push_back(pool.acquire(Want{}).value());
      }
    });
    for (size_t i = 0; i < 7; ++i) EXPECT_EQ(world.servers.active(i), 2'000U);
  }
}

TEST(Pool, RoundRobinWithAFullServerSharesItsTurns) {
  World world(4);
  world.members[1].limit = 1;
  world.servers[1].active() = 1;
  Pool pool = world.pool();
  EXPECT_EQ(world.grants(pool, 300), (std::vector<uint32_t>{100, 0, 100, 100}));
}

TEST(Pool, AChangeOfHealthMovesOnlyTheKeysOfItsServerEvenBesideATwin) {
  World world(3, Balance::source_ip_hash);
  world.members.push_back({&world.servers.add(1, "twin", world.servers[0].address().to_string()),
                           ServerStatus::healthy, 1, kNoLimit, false});
  Pool before = world.pool();
  world.members[0].status = ServerStatus::unhealthy;
  Pool after = world.pool();
  for (int i = 0; i < 2'000; ++i) {
    Want want = world.want();
    Server* was = before.acquire(want)->server();
    if (was == &world.servers[0]) continue;
    ASSERT_EQ(after.acquire(want)->server(), was);
  }
}

TEST(Pool, OnlyHashBalancersNeedAKey) {
  for (Balance balance : kAll) {
    World world(1, balance);
    EXPECT_EQ(world.pool().needs_key(),
              balance == Balance::hash || balance == Balance::source_ip_hash);
  }
}

}  // namespace
}  // namespace lb
