// SPDX-License-Identifier: MIT
#include "pool/connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "connector_rig.h"

namespace lb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Step = Connector::Step;

TEST_F(ConnectorTest, ConnectsToAServerAndCountsIt) {
  add(1);
  Pool pool = this->pool();
  Connector connector;
  ASSERT_EQ(next(connector, pool), Step::connecting);
  EXPECT_EQ(servers_.active(0), 1u);
  Fd fd = connector.take_fd();
  Fd accepted = listening_.accept();
  EXPECT_EQ(connect_state(fd.get()), 0);
  Lease lease = connector.take_lease();
  EXPECT_EQ(lease.server(), &servers_[0]);
  lease.reset();
  EXPECT_EQ(servers_.active(0), 0u);
  EXPECT_EQ(connector.last_error(), 0);
}

TEST_F(ConnectorTest, TriesTheOthersFirstThenPausesThenTheSameAgain) {
  add(3);
  config_->retries.attempts = 7;
  Pool pool = this->pool();
  Connector connector;
  Step step = next(connector, pool);
  std::vector<std::set<Server*>> rounds(1);
  int pauses = 0;
  while (step == Step::connecting || step == Step::pause) {
    if (step == Step::pause) {
      ++pauses;
      rounds.emplace_back();
      step = next(connector, pool);
      continue;
    }
    Lease lease;
    EXPECT_TRUE(rounds.back().insert(trying(connector, lease)).second) << "twice in one round";
    connector.take_fd();
    step = connector.failed(ECONNREFUSED, std::move(lease), pool, rig_.context, 0);
  }
  EXPECT_EQ(step, Step::no_server);
  EXPECT_EQ(pauses, 2);
  ASSERT_EQ(rounds.size(), 3u);
  EXPECT_EQ(rounds[0].size(), 3u);
  EXPECT_EQ(rounds[1].size(), 3u);
  EXPECT_EQ(rounds[2].size(), 2u) << "eight tries in all";
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(servers_.active(i), 0u);
}

TEST_F(ConnectorTest, MakesAsManyTriesAsItMay) {
  for (uint32_t attempts : {0u, 1u, 2u, 5u}) {
    members_.clear();
    add(10);
    config_->retries.attempts = attempts;
    Pool pool = this->pool();
    Connector connector;
    uint32_t tries = 0;
    for (Step step = next(connector, pool); step == Step::connecting;
         step = fail(connector, pool)) {
      ++tries;
    }
    EXPECT_EQ(tries, attempts + 1);
  }
}

TEST_F(ConnectorTest, PausesGrowWithJitterUpToTheirMost) {
  add(1);
  config_->retries = {.attempts = 10,
                      .backoff = milliseconds(25),
                      .max_backoff = milliseconds(1'000),
                      .budget_percent = 20};
  Pool pool = this->pool();
  const std::vector<int64_t> full = {25, 50, 100, 200, 400, 800, 1'000, 1'000, 1'000, 1'000};
  std::map<size_t, std::set<int64_t>> seen;
  for (int round = 0; round < 300; ++round) {
    Connector connector;
    Step step = next(connector, pool);
    for (size_t i = 0; i < full.size(); ++i) {
      ASSERT_EQ(step, Step::connecting);
      ASSERT_EQ(fail(connector, pool), Step::pause);
      ASSERT_LE(connector.pause_ms(), full[i]);
      ASSERT_GE(connector.pause_ms(), full[i] / 2);
      seen[i].insert(connector.pause_ms());
      step = next(connector, pool);
    }
    ASSERT_EQ(fail(connector, pool), Step::no_server);
  }
  // Spread over the whole upper half.
  EXPECT_EQ(seen[0].size(), 13u);
  EXPECT_LT(*seen[5].begin(), 450);
  EXPECT_GT(*seen[5].rbegin(), 750);
}

TEST_F(ConnectorTest, PausesMayBeNone) {
  add(1);
  config_->retries.backoff = milliseconds(0);
  Pool pool = this->pool();
  Connector connector;
  next(connector, pool);
  EXPECT_EQ(fail(connector, pool), Step::pause);
  EXPECT_EQ(connector.pause_ms(), 0);
}

TEST_F(ConnectorTest, LateConnectsCostBudgetAndRefusedOnesDoNot) {
  struct Row {
    int error;
    bool is_free;
  };
  for (Row row : {Row{ECONNREFUSED, true}, Row{ETIMEDOUT, false}, Row{EHOSTUNREACH, false}}) {
    members_.clear();
    add(3);
    use_up_budget();
    Pool pool = this->pool();
    Connector connector;
    ASSERT_EQ(next(connector, pool), Step::connecting) << "the first try needs none";
    EXPECT_EQ(fail(connector, pool, row.error), row.is_free ? Step::connecting : Step::no_server)
        << strerror(row.error);
    EXPECT_EQ(connector.last_error(), row.error);
  }
}

TEST_F(ConnectorTest, EachRetryTakesOneFromTheBudget) {
  add(20);
  config_->retries.attempts = 100;
  Pool pool = this->pool();
  Connector connector;
  int tries = 0;
  for (Step step = next(connector, pool); step == Step::connecting;
       step = fail(connector, pool, ETIMEDOUT)) {
    ++tries;
  }
  EXPECT_EQ(tries, 1 + static_cast<int>(RetryBudget::kFloorPerSecond));
}

TEST_F(ConnectorTest, OnlyTheFirstTryCountsAsWork) {
  add(3);
  config_->retries.budget_percent = 50;
  Pool pool = this->pool();
  for (int i = 0; i < 40; ++i) {
    Connector connector;
    ASSERT_EQ(next(connector, pool), Step::connecting);
    ASSERT_EQ(fail(connector, pool), Step::connecting);
  }
  int taken = 0;
  while (budget_.take(50, rig_.loop.now_ms())) ++taken;
  EXPECT_EQ(taken, 20);
}

TEST_F(ConnectorTest, SaysWhyThereIsNoServer) {
  struct Row {
    const char* what;
    Member member;
    uint32_t active;
    Step step;
  };
  const Row rows[] = {
      {"unhealthy", {nullptr, ServerStatus::unhealthy, 1, kNoLimit, false}, 0, Step::no_server},
      {"draining", {nullptr, ServerStatus::draining, 1, kNoLimit, false}, 0, Step::no_server},
      {"full", {nullptr, ServerStatus::healthy, 1, 3, false}, 3, Step::full},
      {"usable", {nullptr, ServerStatus::healthy, 1, 3, false}, 2, Step::connecting},
  };
  for (const Row& row : rows) {
    members_.clear();
    Server& server = add(listening_.address().to_string());
    members_[0] = row.member;
    members_[0].server = &server;
    server.active() = row.active;
    Pool pool = this->pool();
    Connector connector;
    EXPECT_EQ(next(connector, pool), row.step) << row.what;
    EXPECT_EQ(connector.last_error(), 0) << row.what;
  }
  members_.clear();
  Pool empty = pool();
  Connector connector;
  EXPECT_EQ(next(connector, empty), Step::no_server);
}

TEST_F(ConnectorTest, FailedConnectsInARowMakeAnOutlierAnErrorOfOursDoesNot) {
  add(1);
  config_->outlier_detection = OutlierConfig{.consecutive_failures = 3};
  Pool pool = this->pool();
  for (int i = 0; i < 2; ++i) {
    Connector connector;
    ASSERT_EQ(next(connector, pool), Step::connecting);
    fail(connector, pool);
  }
  Connector ours;
  ASSERT_EQ(next(ours, pool), Step::connecting);
  ours.failed(EADDRNOTAVAIL, ours.take_lease(), pool, rig_.context, 0);
  EXPECT_TRUE(rig_.failing.empty());
  Connector third;
  ASSERT_EQ(next(third, pool), Step::connecting);
  fail(third, pool);
  EXPECT_EQ(rig_.failing, std::vector<Server*>{&servers_[0]});
}

TEST_F(ConnectorTest, AFailedServerIsAvoidedAndReportedOnce) {
  add(1);
  config_->health_check.fast_interval = milliseconds(700);
  Pool pool = this->pool();
  Server& server = servers_[0];
  for (int i = 0; i < 3; ++i) {
    Connector connector;
    ASSERT_EQ(next(connector, pool), Step::connecting) << "the last one is used all the same";
    fail(connector, pool);
  }
  EXPECT_EQ(server.avoid_until_ms, rig_.loop.now_ms() + 700);
  EXPECT_EQ(server.cell(0).connect_failures, 3u);
  EXPECT_THAT(rig_.connects_failed, ElementsAre(&server));

  // When its time is over, the next failure is news again.
  server.avoid_until_ms = rig_.loop.now_ms();
  Connector connector;
  next(connector, pool);
  fail(connector, pool);
  EXPECT_THAT(rig_.connects_failed, ElementsAre(&server, &server));
}

TEST_F(ConnectorTest, WhatThisMachineLacksIsNoFaultOfTheServer) {
  for (int error : {EADDRNOTAVAIL, EADDRINUSE, ENOBUFS, ENOMEM, EMFILE, ENFILE}) {
    members_.clear();
    add(2);
    Pool pool = this->pool();
    Connector connector;
    ASSERT_EQ(next(connector, pool), Step::connecting);
    Lease lease;
    Server* server = trying(connector, lease);
    connector.take_fd();
    Step step = connector.failed(error, std::move(lease), pool, rig_.context, 0);
    EXPECT_EQ(step, error == EMFILE || error == ENFILE ? Step::pause : Step::connecting)
        << strerror(error);
    EXPECT_EQ(server->avoid_until_ms, 0) << strerror(error);
    EXPECT_EQ(server->cell(0).connect_failures, 0u) << strerror(error);
    EXPECT_EQ(server->active(), 0u) << strerror(error);
  }
  EXPECT_THAT(rig_.connects_failed, IsEmpty());
}

TEST_F(ConnectorTest, WithoutDescriptorsItWaitsForOneAsLongAsAConnectMayTake) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan opens a pipe to see whether memory may be read";
#endif
  add(2);
  config_->retries.attempts = 0;  // which waiting does not count against
  config_->connect_timeout = milliseconds(150);
  Pool pool = this->pool();
  Connector patient;
  Connector late;
  int64_t began_ms = rig_.loop.now_ms();
  {
    NoDescriptors none;
    EXPECT_EQ(next(patient, pool), Step::pause);
    EXPECT_EQ(patient.pause_ms(), 100);
    EXPECT_EQ(next(late, pool), Step::pause);
    wait_until_ms(began_ms + 110);
    if (rig_.loop.now_ms() < began_ms + 150) {  // a busy machine may have passed over it
      EXPECT_EQ(next(late, pool), Step::pause);
      EXPECT_LE(late.pause_ms(), 40);
    }
    wait_until_ms(began_ms + 150);
    EXPECT_EQ(next(late, pool), Step::no_socket);
  }
  EXPECT_EQ(late.last_error(), EMFILE);
  EXPECT_EQ(next(patient, pool), Step::connecting) << "somebody gave one back";
  patient.take_lease().reset();
  EXPECT_EQ(servers_.active(0) + servers_.active(1), 0u);
  EXPECT_THAT(rig_.connects_failed, IsEmpty());
}

TEST_F(ConnectorTest, ConnectsThatFailAtOnceGoOnAtOnce) {
  add("unix:/no/such/a.sock");
  add("unix:/no/such/b.sock");
  config_->retries.attempts = 2;
  Pool pool = this->pool();
  Connector connector;
  EXPECT_EQ(next(connector, pool), Step::pause) << "both were tried";
  EXPECT_EQ(connector.last_error(), ENOENT);
  EXPECT_EQ(next(connector, pool), Step::no_server) << "the third try was the last";
  EXPECT_EQ(rig_.connects_failed.size(), 2u);
  EXPECT_EQ(servers_.active(0) + servers_.active(1), 0u);
}

TEST_F(ConnectorTest, OneThatFailsAtOnceLeadsToOneThatDoesNot) {
  add("unix:/no/such/a.sock");
  Server& good = add(listening_.address().to_string());
  Pool pool = this->pool();
  for (int i = 0; i < 4; ++i) {
    Connector connector;
    ASSERT_EQ(next(connector, pool), Step::connecting);
    Lease lease;
    EXPECT_EQ(trying(connector, lease), &good);
  }
}

TEST_F(ConnectorTest, ANewSnapshotIsUsedFromTheNextTryOn) {
  add(2);
  Pool before = pool();
  members_[0].status = members_[1].status = ServerStatus::unhealthy;
  Server& added = add(listening_.address().to_string());
  Pool after = pool();
  Connector connector;
  ASSERT_EQ(next(connector, before), Step::connecting);
  ASSERT_EQ(fail(connector, after), Step::connecting);
  Lease lease;
  EXPECT_EQ(trying(connector, lease), &added);
}

TEST_F(ConnectorTest, ComesFromEachOfItsSourceAddressesOfTheServersFamily) {
  add(1);
  config_->source = {*Address::parse("[::1]:0"), *Address::parse("127.0.0.5:0"),
                     *Address::parse("127.0.0.6:0")};
  Pool pool = this->pool();
  std::set<std::string> used;
  for (int i = 0; i < 64; ++i) {
    Connector connector;
    ASSERT_EQ(next(connector, pool), Step::connecting);
    used.insert(local_address(connector.take_fd().get()).ip_string());
  }
  EXPECT_THAT(used, ElementsAre("127.0.0.5", "127.0.0.6"));
}

TEST_F(ConnectorTest, WithoutASourceOfThatFamilyTheKernelChooses) {
  add(1);
  config_->source = {*Address::parse("[2001:db8::1]:0")};
  Pool pool = this->pool();
  Connector connector;
  ASSERT_EQ(next(connector, pool), Step::connecting);
  EXPECT_EQ(local_address(connector.take_fd().get()).ip_string(), "127.0.0.1");
}

TEST_F(ConnectorTest, ASourceThatIsNotOursIsNoFaultOfTheServer) {
  add(1);
  config_->source = {*Address::parse("192.0.2.1:0")};
  config_->retries.attempts = 0;
  Pool pool = this->pool();
  Connector connector;
  EXPECT_EQ(next(connector, pool), Step::pause) << "a port may be free soon";
  EXPECT_EQ(connector.last_error(), EADDRNOTAVAIL);
  EXPECT_THAT(rig_.connects_failed, IsEmpty());
}

}  // namespace
}  // namespace lb
