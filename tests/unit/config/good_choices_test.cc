// SPDX-License-Identifier: MIT
// How servers are chosen, as files say it.
#include <gtest/gtest.h>

#include <string>

#include "broken_files.h"
#include "config/loader.h"

namespace lb::config {
namespace {

PoolConfig loaded(const std::string& keys) {
  auto result = load_config_text(with_pool(keys), "/");
  if (result) return result->config.pools.at("db");
  ADD_FAILURE() << result.error().front().to_string("lb.yaml");
  return {};
}

TEST(GoodChoices, LeastLoadNamesWhatCounts) {
  EXPECT_EQ(loaded("balance: least_load").load_metric, LoadMetric::max);
  EXPECT_EQ(loaded("balance: {least_load: max}").load_metric, LoadMetric::max);
  EXPECT_EQ(loaded("balance: {least_load: memory}").load_metric, LoadMetric::memory);
}

TEST(GoodChoices, ClientsMayStickToTheirServers) {
  EXPECT_FALSE(loaded("sticky: off").sticky);
  EXPECT_EQ(loaded("sticky: {by: source_ip}").sticky, StickyConfig());
  StickyConfig all{
      .ttl = milliseconds(60'000), .max_entries = 7, .fallback = StickyFallback::reject};
  EXPECT_EQ(loaded("sticky: {by: source_ip, ttl: 1m, max_entries: 7, fallback: reject}").sticky,
            all);
}

}  // namespace
}  // namespace lb::config
