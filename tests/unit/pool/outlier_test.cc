// SPDX-License-Identifier: MIT
#include "pool/outlier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../worker_rig.h"
#include "servers.h"

namespace lb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OutlierTest : public testing::Test {
 protected:
  OutlierTest() { pool_.outlier_detection = OutlierConfig{.consecutive_failures = 3}; }
  void fail(int times) {
    for (int i = 0; i < times; ++i) count_failure(servers_[0], pool_, rig_.context);
  }

  WorkerRig rig_;
  Servers servers_ = Servers::equal(2);
  PoolConfig pool_;
};

TEST_F(OutlierTest, TellsWhenAsManyInARowHaveFailedAndAtEveryMultiple) {
  fail(2);
  EXPECT_THAT(rig_.failing, IsEmpty());
  fail(1);
  EXPECT_THAT(rig_.failing, ElementsAre(&servers_[0]));
  fail(2);
  EXPECT_EQ(rig_.failing.size(), 1u);
  fail(1);
  EXPECT_EQ(rig_.failing.size(), 2u);
}

TEST_F(OutlierTest, OneSuccessBeginsTheRowAnew) {
  fail(2);
  count_success(servers_[0]);
  fail(2);
  EXPECT_THAT(rig_.failing, IsEmpty());
  fail(1);
  EXPECT_EQ(rig_.failing.size(), 1u);
}

TEST_F(OutlierTest, OneThatIsNotTrustedIsTriedByOneAtATimeUntilItSucceeds) {
  Server& server = servers_[0];
  EXPECT_TRUE(take_trial(server, 1'000));
  EXPECT_TRUE(take_trial(server, 1'000)) << "it is trusted";
  server.next_trial_ms = 2'000;
  EXPECT_TRUE(awaits_trial(server, 1'999));
  EXPECT_FALSE(take_trial(server, 1'999));
  EXPECT_FALSE(awaits_trial(server, 2'000));
  EXPECT_TRUE(take_trial(server, 2'000));
  EXPECT_FALSE(take_trial(server, 2'000)) << "somebody does";
  EXPECT_FALSE(take_trial(server, 2'000 + kTrialMs - 1));
  EXPECT_TRUE(take_trial(server, 2'000 + kTrialMs)) << "who learned nothing is followed by another";
  count_success(server);
  EXPECT_TRUE(take_trial(server, 2'001 + kTrialMs));
  EXPECT_TRUE(take_trial(server, 2'001 + kTrialMs));
}

TEST_F(OutlierTest, ServersAreCountedOneByOne) {
  fail(2);
  count_failure(servers_[1], pool_, rig_.context);
  count_success(servers_[1]);
  fail(1);
  EXPECT_THAT(rig_.failing, ElementsAre(&servers_[0]));
}

TEST_F(OutlierTest, WithoutDetectionNothingIsCounted) {
  pool_.outlier_detection.reset();
  fail(100);
  EXPECT_EQ(servers_[0].failures_in_a_row, 0u);
  EXPECT_THAT(rig_.failing, IsEmpty());
}

}  // namespace
}  // namespace lb
