// SPDX-License-Identifier: MIT
#include "pool/server_state.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

struct StatusCase {
  const char* name;
  ServerFacts facts;
  ServerStatus status;
  bool usable;
};

class StatusTable : public testing::TestWithParam<StatusCase> {};

TEST_P(StatusTable, FollowsFromTheFacts) {
  EXPECT_EQ(status_of(GetParam().facts), GetParam().status);
  EXPECT_EQ(is_usable(status_of(GetParam().facts)), GetParam().usable);
}

constexpr ServerFacts facts(Health health, bool overloaded, bool ejected,
                            AdminState admin = AdminState::ready, bool removed = false) {
  return {health, overloaded, ejected, admin, removed};
}

INSTANTIATE_TEST_SUITE_P(
    Rows, StatusTable,
    testing::Values(
        StatusCase{"New", facts(Health::unknown, false, false), ServerStatus::unknown, true},
        StatusCase{"NewOverloaded", facts(Health::unknown, true, false), ServerStatus::unknown,
                   true},
        StatusCase{"Passes", facts(Health::healthy, false, false), ServerStatus::healthy, true},
        StatusCase{"Overloaded", facts(Health::healthy, true, false), ServerStatus::overloaded,
                   true},
        StatusCase{"Fails", facts(Health::unhealthy, true, false), ServerStatus::unhealthy, false},
        StatusCase{"Ejected", facts(Health::healthy, false, true), ServerStatus::ejected, false},
        StatusCase{"EjectedUnchecked", facts(Health::unknown, true, true), ServerStatus::ejected,
                   false},
        StatusCase{"EjectedAndFails", facts(Health::unhealthy, false, true),
                   ServerStatus::unhealthy, false},
        StatusCase{"Drained", facts(Health::healthy, true, true, AdminState::drain),
                   ServerStatus::draining, false},
        StatusCase{"DrainedAndFails", facts(Health::unhealthy, false, false, AdminState::drain),
                   ServerStatus::draining, false},
        StatusCase{"Maintained", facts(Health::healthy, false, true, AdminState::maintenance),
                   ServerStatus::maintenance, false},
        StatusCase{"Removed", facts(Health::healthy, false, false, AdminState::maintenance, true),
                   ServerStatus::draining, false}),
    [](const auto& row) { return row.param.name; });

TEST(ServerState, RemembersChangesOfStatusAndNothingElse) {
  ServerState state(5);
  EXPECT_EQ(state.added_at_ms(), 5);
  EXPECT_FALSE(state.update({}, "no news", 10));
  EXPECT_FALSE(state.update(facts(Health::unknown, true, false), "a fact without effect", 11));
  EXPECT_TRUE(state.facts().overloaded);
  auto change = state.update(facts(Health::healthy, false, false), "connected", 12);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->at_ms, 12);
  EXPECT_EQ(change->from, ServerStatus::unknown);
  EXPECT_EQ(change->to, ServerStatus::healthy);
  EXPECT_EQ(change->reason, "connected");
  EXPECT_EQ(state.history().size(), 1u);
}

TEST(ServerState, TheHistoryIsBounded) {
  ServerState state(0);
  for (int i = 1; i <= 101; ++i) {
    Health health = i % 2 == 0 ? Health::unhealthy : Health::healthy;
    EXPECT_TRUE(state.update(facts(health, false, false), std::to_string(i), i));
  }
  ASSERT_EQ(state.history().size(), ServerState::kHistory);
  EXPECT_EQ(state.history().front().reason, "82");
  EXPECT_EQ(state.history().back().reason, "101");
}

TEST(ServerState, EveryWordHasAName) {
  EXPECT_STREQ(to_string(Health::unhealthy), "unhealthy");
  EXPECT_STREQ(to_string(AdminState::ready), "ready");
  EXPECT_STREQ(to_string(AdminState::drain), "drain");
  EXPECT_STREQ(to_string(AdminState::maintenance), "maintenance");
  const char* names[] = {"unknown", "healthy",  "unhealthy",  "overloaded",
                         "ejected", "draining", "maintenance"};
  for (int i = 0; i < 7; ++i) EXPECT_STREQ(to_string(static_cast<ServerStatus>(i)), names[i]);
}

}  // namespace
}  // namespace lb
