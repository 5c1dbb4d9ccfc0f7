// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "config/loader.h"

namespace lb {
namespace {

// The documentation sends people there, and they copy it.
TEST(Example, TheFileToStartFromLoadsWithoutWarnings) {
  auto loaded = load_config(LB_EXAMPLE_FILE);
  ASSERT_TRUE(loaded) << loaded.error().front().to_string(LB_EXAMPLE_FILE);
  EXPECT_TRUE(loaded->warnings.empty());
  EXPECT_EQ(loaded->config.pools.at("redis").health_check.send, "PING\r\n");
}

}  // namespace
}  // namespace lb
