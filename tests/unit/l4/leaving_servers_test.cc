// SPDX-License-Identifier: MIT
#include "l4/leaving_servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../pool/servers.h"

namespace lb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LeavingServersTest : public testing::Test {
 protected:
  LeavingServersTest() {
    for (int i = 0; i < 2; ++i) {
      members_.push_back({.server = &servers_.add(1), .status = ServerStatus::healthy});
    }
  }
  void set(size_t i, ServerStatus status, int64_t now_ms) {
    members_[i].status = status;
    leaving_.update(members_, now_ms, 100);
  }
  const Server* server(size_t i) const { return members_[i].server; }

  Servers servers_{{}};
  std::vector<Member> members_;
  LeavingServers leaving_;
};

TEST_F(LeavingServersTest, NobodyLeavesAServerThatIsFit) {
  for (ServerStatus status : {ServerStatus::healthy, ServerStatus::unknown,
                              ServerStatus::overloaded, ServerStatus::ejected}) {
    set(0, status, 1'000);
    EXPECT_THAT(leaving_.take_due(9'000), IsEmpty());
    EXPECT_EQ(leaving_.next_ms(), 0);
  }
}

TEST_F(LeavingServersTest, OneThatIsDownIsLeftAtOnceAndOnce) {
  set(0, ServerStatus::unhealthy, 1'000);
  EXPECT_THAT(leaving_.take_due(1'000), ElementsAre(server(0)));
  set(1, ServerStatus::maintenance, 1'001);
  EXPECT_THAT(leaving_.take_due(1'001), ElementsAre(server(1)));
  EXPECT_EQ(leaving_.next_ms(), 0);
}

TEST_F(LeavingServersTest, OneThatDrainsIsLeftAfterAWhile) {
  set(0, ServerStatus::draining, 1'000);
  EXPECT_EQ(leaving_.next_ms(), 1'100);
  set(1, ServerStatus::draining, 1'050);
  EXPECT_EQ(leaving_.next_ms(), 1'100) << "counted from the first time it was seen so";
  EXPECT_THAT(leaving_.take_due(1'099), IsEmpty());
  EXPECT_THAT(leaving_.take_due(1'100), ElementsAre(server(0)));
  EXPECT_EQ(leaving_.next_ms(), 1'150);
}

TEST_F(LeavingServersTest, WhatGetsWorseMeanwhileIsLeftAtOnceAndWhatIsFitAgainNotAtAll) {
  set(0, ServerStatus::draining, 1'000);
  set(1, ServerStatus::draining, 1'000);
  set(0, ServerStatus::unhealthy, 1'010);
  EXPECT_THAT(leaving_.take_due(1'010), ElementsAre(server(0)));
  set(1, ServerStatus::healthy, 1'020);
  EXPECT_THAT(leaving_.take_due(2'000), IsEmpty());
  set(0, ServerStatus::healthy, 2'000);
  set(0, ServerStatus::unhealthy, 3'000);
  EXPECT_THAT(leaving_.take_due(3'000), ElementsAre(server(0))) << "a second time";
}

}  // namespace
}  // namespace lb
