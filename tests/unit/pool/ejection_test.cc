// SPDX-License-Identifier: MIT
#include "pool/ejection.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFor{1'000};

TEST(Ejection, EachLastsOneTimeLongerAndAtMostTenTimes) {
  Ejection ejection;
  int64_t now_ms = 1'000'000;
  for (int n = 1; n <= 15; ++n) {
    EXPECT_EQ(ejection.begin(kFor, now_ms), std::min(n, 10) * kFor) << n;
    EXPECT_EQ(ejection.number(), static_cast<uint32_t>(std::min(n, 10)));
    EXPECT_EQ(ejection.until_ms(), now_ms + std::min(n, 10) * 1'000);
    now_ms = ejection.until_ms() + 999;
  }
}

TEST(Ejection, ServingWellMakesTheNextOneShorter) {
  struct Row {
    int64_t served_ms;
    int expected;  // after five
  };
  for (Row row : {Row{0, 6}, Row{999, 6}, Row{1'000, 5}, Row{2'500, 4}, Row{5'000, 1},
                  Row{1'000'000'000, 1}}) {
    Ejection ejection;
    int64_t now_ms = 7;
    for (int i = 0; i < 5; ++i) {
      ejection.begin(kFor, now_ms);
      now_ms = ejection.until_ms();
    }
    EXPECT_EQ(ejection.begin(kFor, now_ms + row.served_ms), row.expected * kFor) << row.served_ms;
  }
}

TEST(Ejection, TheFirstIsTheShortestWheneverItComes) {
  for (int64_t now_ms : {int64_t{0}, int64_t{1}, int64_t{1'000'000'000'000}}) {
    Ejection ejection;
    EXPECT_EQ(ejection.begin(kFor, now_ms), kFor);
  }
}

}  // namespace
}  // namespace lb
