// SPDX-License-Identifier: MIT
#include "app/rate_window.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

TEST(RateWindow, TellsWhatWasDoneInTheLastTenSeconds) {
  RateWindow window;
  for (int64_t second = 0; second <= 20; ++second) {
    auto done = static_cast<uint64_t>(second) * 100;
    window.note({second * 1'000, done, done, done * 2'000});
  }
  auto rate = window.rate({21'000, 2'100, 2'100, 2'100 * 2'000});
  EXPECT_DOUBLE_EQ(rate.per_second, 100);
  EXPECT_DOUBLE_EQ(*rate.response_ms, 2);
}

TEST(RateWindow, AtTheBeginningASecondIsTheLeast) {
  RateWindow window;
  EXPECT_EQ(window.rate({1'000, 0, 0, 0}).per_second, 0);
  window.note({1'000, 0, 0, 0});
  EXPECT_DOUBLE_EQ(window.rate({1'100, 50, 0, 0}).per_second, 50);
  EXPECT_FALSE(window.rate({1'100, 50, 0, 0}).response_ms);
}

TEST(RateWindow, WithoutAnswersLatelyTheTimeIsOfAll) {
  RateWindow window;
  window.note({1'000, 10, 10, 50'000});
  auto rate = window.rate({5'000, 10, 10, 50'000});
  EXPECT_EQ(rate.per_second, 0);
  EXPECT_DOUBLE_EQ(*rate.response_ms, 5);
}

}  // namespace
}  // namespace lb
