// SPDX-License-Identifier: MIT
// What a pool does when servers fail or are full, as it should be written.
#include <gtest/gtest.h>

#include <string>

#include "broken_files.h"
#include "config/loader.h"

namespace lb::config {
namespace {

PoolConfig loaded(const std::string& keys) {
  auto result = load_config_text(with_pool(keys), "/");
  if (result) return result->config.pools.at("db");
  ADD_FAILURE() << result.error().front().to_string("lb.yaml") << " in " << keys;
  return {};
}

TEST(GoodFaultRules, EveryKeyTakesItsValue) {
  auto pool = loaded(
      "outlier_detection: {consecutive_failures: 3, eject_for: 10s, max_ejected: 20%}\n"
      "    slow_start: 1m\n"
      "    queue: {size: 7, timeout: 250ms}\n"
      "    hold: 15s");
  EXPECT_EQ(pool.outlier_detection, (OutlierConfig{3, milliseconds(10'000), 20}));
  EXPECT_EQ(pool.slow_start, milliseconds(60'000));
  EXPECT_EQ(pool.queue, (QueueConfig{7, milliseconds(250)}));
  EXPECT_EQ(pool.hold, milliseconds(15'000));
}

TEST(GoodFaultRules, ClientsQueueForASecondAndAreHeldOnlyWhereAsked) {
  auto usual = loaded("queue: {}");
  EXPECT_EQ(usual.queue, (QueueConfig{1024, milliseconds(1'000)}));
  EXPECT_EQ(usual.hold, milliseconds(0));
  auto off = loaded("queue: off\n    hold: off");
  EXPECT_EQ(off.queue, (QueueConfig{1024, milliseconds(0)}));
  EXPECT_EQ(off.hold, milliseconds(0));
}

TEST(GoodFaultRules, OutlierDetectionIsOffUnlessGivenAndItsKeysHaveDefaults) {
  EXPECT_FALSE(loaded("outlier_detection: off").outlier_detection);
  auto pool = loaded("outlier_detection: {}");
  EXPECT_EQ(pool.outlier_detection, (OutlierConfig{5, milliseconds(30'000), 50}));
  EXPECT_EQ(pool.slow_start, milliseconds(0));
  EXPECT_EQ(loaded("slow_start: off").slow_start, milliseconds(0));
}

}  // namespace
}  // namespace lb::config
