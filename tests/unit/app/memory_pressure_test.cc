// SPDX-License-Identifier: MIT
#include "app/memory_pressure.h"

#include <gtest/gtest.h>

#include <vector>

namespace lb {
namespace {

constexpr uint64_t kMiB = 1 << 20;

MemoryBound left_of(uint64_t limit_mib, uint64_t left_mib) {
  return {"it", limit_mib * kMiB, left_mib * kMiB};
}

TEST(MemoryPressure, BeginsByALittleAndIsOverByTwiceThat) {
  struct Row {
    const char* what;
    uint64_t limit_mib;
    uint64_t begins_mib;  // when so much is left
    uint64_t not_yet_over_mib;
  };
  const Row rows[] = {
      {"a small container", 128, 7, 15},
      {"the size at which both rules meet", 1'024, 63, 127},
      {"a large machine", 262'144, 63, 127},
  };
  for (const Row& row : rows) {
    MemoryPressure pressure;
    EXPECT_FALSE(pressure.note({left_of(row.limit_mib, row.begins_mib + 1)})) << row.what;
    EXPECT_FALSE(pressure.is_on() || pressure.is_low()) << row.what;
    EXPECT_TRUE(pressure.note({left_of(row.limit_mib, row.begins_mib)})) << row.what;
    EXPECT_TRUE(pressure.is_on() && pressure.is_low()) << row.what;
    EXPECT_FALSE(pressure.note({left_of(row.limit_mib, row.begins_mib)})) << row.what;
    EXPECT_FALSE(pressure.note({left_of(row.limit_mib, row.not_yet_over_mib)})) << row.what;
    EXPECT_TRUE(pressure.is_on()) << row.what;
    EXPECT_FALSE(pressure.is_low()) << row.what;
    EXPECT_TRUE(pressure.note({left_of(row.limit_mib, row.not_yet_over_mib + 1)})) << row.what;
    EXPECT_FALSE(pressure.is_on()) << row.what;
  }
}

TEST(MemoryPressure, TheTightestBoundDecides) {
  MemoryPressure pressure;
  MemoryBound wide = left_of(262'144, 100);
  MemoryBound tight{"tight", 64 * kMiB, 3 * kMiB};
  EXPECT_TRUE(pressure.note({wide, tight, wide}));
  EXPECT_EQ(pressure.tightest().name, "tight");
  tight.left = 63 * kMiB;
  EXPECT_FALSE(pressure.note({tight, wide})) << "it lasts by the other one";
  EXPECT_EQ(pressure.tightest().name, "it");
}

TEST(MemoryPressure, NoBoundsAreNone) {
  MemoryPressure pressure;
  EXPECT_FALSE(pressure.note({}));
  EXPECT_TRUE(pressure.note({left_of(0, 0)}));
  EXPECT_TRUE(pressure.note({}));
}

TEST(MemoryPressure, TheLessIsLeftTheFewerMayBeOpen) {
  MemoryPressure pressure;
  auto share_with = [&](uint64_t left_mib) {
    pressure.note({left_of(4'096, left_mib)});
    return pressure.share_of(1'000);
  };
  EXPECT_EQ(share_with(100), 1'000u);
  EXPECT_EQ(share_with(48), 750u);
  EXPECT_EQ(share_with(16), 250u);
  EXPECT_EQ(share_with(64), 1'000u);
  EXPECT_EQ(share_with(0), 1u);
  EXPECT_EQ(pressure.share_of(0), 1u);
}

}  // namespace
}  // namespace lb
