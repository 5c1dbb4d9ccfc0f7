// SPDX-License-Identifier: MIT
#include "pool/sticky_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>

#include "common/clock.h"
#include "servers.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

StickyKey key(uint64_t number) {
  return {mix64(number)};
}

TEST(StickyTable, AKeyKeepsItsServerWhileItIsUsed) {
  StickyTable table({.max_entries = 10, .ttl = milliseconds(1'000)});
  int64_t now_ms = monotonic_ms();
  EXPECT_FALSE(table.find(key(1), now_ms));
  table.put(key(1), 7, now_ms);
  EXPECT_EQ(table.find(key(1), now_ms + 900), 7u);
  EXPECT_EQ(table.find(key(1), now_ms + 1'800), 7u) << "since the last use";
  EXPECT_FALSE(table.find(key(1), now_ms + 2'900));
  EXPECT_EQ(table.size(), 0u);
}

TEST(StickyTable, AnotherServerTakesThePlaceOfTheOneBefore) {
  StickyTable table({});
  table.put(key(1), 7, monotonic_ms());
  table.put(key(1), 8, monotonic_ms());
  EXPECT_EQ(table.find(key(1), monotonic_ms()), 8u);
  EXPECT_EQ(table.size(), 1u);
}

TEST(StickyTable, AnEntryEndsWithTheNewestTokenSeen) {
  StickyTable table({.max_entries = 10, .ttl = milliseconds(3'600'000)});
  int64_t now_ms = monotonic_ms();
  StickyKey first{1, now_ms + 60'000};
  StickyKey refreshed{1, now_ms + 120'000};
  table.put(first, 7, now_ms);
  EXPECT_TRUE(table.find(first, now_ms + 58'000));
  EXPECT_TRUE(table.find(refreshed, now_ms + 58'000));
  EXPECT_TRUE(table.find(first, now_ms + 118'000)) << "an older token shortens nothing";
  EXPECT_FALSE(table.find(first, now_ms + 121'000));
}

TEST(StickyTable, TheLeastRecentlyUsedGo) {
  StickyTable table({.max_entries = 3, .ttl = milliseconds(60'000)});
  int64_t now_ms = monotonic_ms();
  for (uint64_t i = 1; i <= 3; ++i) table.put(key(i), 7, now_ms);
  EXPECT_TRUE(table.find(key(1), now_ms));
  table.put(key(4), 7, now_ms);
  EXPECT_EQ(table.size(), 3u);
  EXPECT_FALSE(table.find(key(2), now_ms));
  EXPECT_TRUE(table.find(key(1), now_ms));
  table.set_limits({.max_entries = 1, .ttl = milliseconds(60'000)});
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(table.find(key(1), now_ms)) << "the one that was used last";
}

TEST(StickyTable, HoldsNoMoreThanItMayHoweverManyCome) {
  for (uint32_t most : {1u, 100u, 20'000u}) {
    StickyTable table({.max_entries = most});
    int64_t now_ms = monotonic_ms();
    for (uint64_t i = 0; i < most; ++i) table.put(key(i), 7, now_ms);
    for (uint64_t i = 0; i < most; ++i) EXPECT_TRUE(table.find(key(i), now_ms)) << i;
    for (uint64_t i = 0; i < 50'000; ++i) table.put(key(i), 7, now_ms);
    EXPECT_EQ(table.size(), most);
    table.set_limits({.max_entries = most / 2 + 1});
    EXPECT_LE(table.size(), most / 2 + 1);
    EXPECT_GE(table.size(), most * 4 / 10);
  }
}

TEST(StickyTable, ManyThreadsFillItNoFurtherThanItMay) {
  StickyTable table({.max_entries = 20'000});
  int64_t now_ms = monotonic_ms();
  run_threads(4, [&](int thread) {
    for (uint64_t i = 0; i < 20'000; ++i) {
      table.put(key(static_cast<uint64_t>(thread) << 32 | i), 7, now_ms);
    }
  });
  table.put(key(UINT64_MAX), 7, now_ms);
  EXPECT_LE(table.size(), 20'000u + 4u);
  EXPECT_GE(table.size(), 20'000u);
}

TEST(StickyTable, ManyKeysOfOneShardDriveOutFewOthers) {
  StickyTable table({.max_entries = 64'000});
  int64_t now_ms = monotonic_ms();
  for (uint64_t i = 0; i < 30'000; ++i) table.put(key(i), 7, now_ms);
  for (uint64_t i = 0; i < 100'000; ++i) table.put(StickyKey{.hash = i}, 7, now_ms);
  uint64_t left = 0;
  for (uint64_t i = 0; i < 30'000; ++i) left += table.find(key(i), now_ms) ? 1 : 0;
  EXPECT_GT(left, 29'000U);
  EXPECT_LT(table.size(), 32'000U);
}

TEST(StickyTable, ForgetsTheEntriesOfOneServer) {
  StickyTable table({});
  int64_t now_ms = monotonic_ms();
  for (uint64_t i = 0; i < 1'000; ++i) table.put(key(i), static_cast<uint32_t>(i % 4), now_ms);
  table.forget(2);
  EXPECT_EQ(table.size(), 750u);
  for (uint64_t i = 0; i < 1'000; ++i)
    EXPECT_EQ(table.find(key(i), now_ms).has_value(), i % 4 != 2);
}

TEST(StickyTable, AnotherTableTakesOverWhatIsThere) {
  StickyTable small({.max_entries = 1'000});
  StickyTable::Limits large{.max_entries = 1'000'000};
  EXPECT_TRUE(small.has_room_for({.max_entries = 10}));
  EXPECT_FALSE(small.has_room_for(large));
  int64_t now_ms = monotonic_ms();
  for (uint64_t i = 0; i < 1'000; ++i) small.put(key(i), static_cast<uint32_t>(i), now_ms);
  StickyTable table(large);
  table.take_over(small, now_ms);
  for (uint64_t i = 0; i < 1'000; ++i) EXPECT_EQ(table.find(key(i), now_ms), i);
}

TEST(StickyTable, ASmallerOneTakesOverTheLatest) {
  StickyTable large({.max_entries = 1'000'000});
  int64_t now_ms = monotonic_ms();
  for (uint64_t i = 0; i < 100; ++i) {
    large.put(key(i), 7, now_ms + 1'000 * static_cast<int64_t>(i));
  }
  StickyTable small({.max_entries = 10});
  small.take_over(large, now_ms + 99'000);
  EXPECT_EQ(small.size(), 10u);
  small.put(key(100), 7, now_ms + 99'000);
  for (uint64_t i = 0; i <= 100; ++i) {
    EXPECT_EQ(small.find(key(i), now_ms + 99'000).has_value(), i > 90) << i;
  }
}

TEST(StickyTable, ListsTheLatestFirst) {
  StickyTable table({.max_entries = 100'000, .ttl = milliseconds(60'000)});
  int64_t now_ms = monotonic_ms() + 1'000;
  for (uint64_t i = 0; i < 100; ++i) {
    table.put(key(i), 7, now_ms + 1'000 * static_cast<int64_t>(i));
  }
  auto list = table.list(10, now_ms + 99'000);
  ASSERT_EQ(list.size(), 10u);
  EXPECT_EQ(list[0].hash, key(99).hash);
  EXPECT_EQ(list[9].hash, key(90).hash);
  EXPECT_NEAR(static_cast<double>(list[0].ends_ms - list[0].used_ms), 60'000, 100);
  EXPECT_EQ(table.list(1'000, now_ms + 99'000).size(), 60u) << "the others are over";
}

StickyKey with_hint(StickyTable& table, StickyKey known, int64_t now_ms) {
  known.hint = table.hint(known, now_ms);
  return known;
}

TEST(StickyTable, AHintIsGoodAsLongAsNothingChangesAboutItsKey) {
  struct Row {
    const char* what;
    std::function<void(StickyTable&, int64_t)> change;
    std::optional<uint32_t> server;
  };
  const Row rows[] = {
      {"a move", [](StickyTable& table, int64_t now_ms) { table.put(key(1), 8, now_ms); }, 8},
      {"another balancer's move",
       [](StickyTable& table, int64_t) { table.replace(key(1).hash, 8); }, 8},
      {"what the store says",
       [](StickyTable& table, int64_t now_ms) { table.adopt(key(1), 8, now_ms); }, 8},
      {"its end", [](StickyTable& table, int64_t) { table.erase(key(1).hash); }, {}},
      {"its server's end", [](StickyTable& table, int64_t) { table.forget(7); }, {}},
      {"others take its place",
       [](StickyTable& table, int64_t now_ms) {
         for (uint64_t i = 10; i < 110; ++i) table.put(key(i), 9, now_ms);
       },
       {}},
      {"other limits", [](StickyTable& table, int64_t) { table.set_limits({.max_entries = 99}); },
       7},
  };
  for (const Row& row : rows) {
    StickyTable table({.max_entries = 100});
    int64_t now_ms = monotonic_ms();
    EXPECT_EQ(table.hint(key(1), now_ms), StickyHint()) << "nobody knows it";
    table.put(key(1), 7, now_ms);
    table.put(key(2), 7, now_ms);
    StickyKey known = with_hint(table, key(1), now_ms);
    EXPECT_EQ(known.hint.server, 7u);
    table.replace(key(2).hash, 9);
    table.erase(key(2).hash);
    EXPECT_TRUE(table.is_good(known.hint, known.hash, now_ms)) << "another key is another matter";
    EXPECT_FALSE(table.is_good(known.hint, key(2).hash, now_ms));
    EXPECT_EQ(table.find(known, now_ms), 7u);
    row.change(table, now_ms);
    EXPECT_FALSE(table.is_good(known.hint, known.hash, now_ms)) << row.what;
    EXPECT_EQ(table.find(known, now_ms), row.server) << row.what;
  }
}

TEST(StickyTable, AHintMeansNothingToAnotherTable) {
  StickyTable here({});
  StickyTable there({});
  int64_t now_ms = monotonic_ms();
  here.put(key(1), 7, now_ms);
  there.put(key(1), 8, now_ms);
  StickyKey known = with_hint(here, key(1), now_ms);
  EXPECT_EQ(there.find(known, now_ms), 8u);
  EXPECT_EQ(with_hint(there, known, now_ms).hint.server, 8u);
}

TEST(StickyTable, AHintEndsLongBeforeItsEntry) {
  StickyTable table({.max_entries = 10, .ttl = milliseconds(160'000)});
  int64_t now_ms = monotonic_ms();
  StickyKey known{key(1).hash, now_ms + 60'000};
  table.put(known, 7, now_ms);
  known = with_hint(table, known, now_ms);
  EXPECT_TRUE(table.is_good(known.hint, known.hash, now_ms + 9'800));
  EXPECT_FALSE(table.is_good(known.hint, known.hash, now_ms + 10'200));
  EXPECT_TRUE(table.find(known, now_ms + 55'000));
  known = with_hint(table, known, now_ms + 55'000);
  EXPECT_TRUE(table.is_good(known.hint, known.hash, now_ms + 59'800));
  EXPECT_FALSE(table.is_good(known.hint, known.hash, now_ms + 60'200)) << "its token's end";
  EXPECT_EQ(table.find(known, now_ms + 60'200), std::nullopt);
}

TEST(StickyTable, WhoComesByHintsIsInUseUntilTheyEnd) {
  StickyTable table({.max_entries = 10, .ttl = milliseconds(160'000)});
  int64_t now_ms = monotonic_ms();
  table.put(key(1), 7, now_ms);
  StickyKey known = with_hint(table, key(1), now_ms);
  EXPECT_EQ(table.find(known, now_ms + 9'800), 7u);
  EXPECT_LE(table.list(1, now_ms + 5'000).at(0).used_ms, now_ms + 5'000) << "never in advance";
  EXPECT_EQ(table.find(known, now_ms + 169'000), 7u) << "less than the ttl after the last use";
  EXPECT_FALSE(table.find(known, now_ms + 340'000));
}

// Others come so fast that an entry which nobody uses lasts 10 s.
TEST(StickyTable, WhoComesByHintsKeepsItsPlaceInAFullTable) {
  StickyTable table({.max_entries = 1'000});
  int64_t now_ms = monotonic_ms();
  table.put(key(0), 7, now_ms);
  StickyKey known = key(0);
  int good = 0;
  for (uint64_t i = 1; i < 20'000; ++i) {
    now_ms += 10;
    table.put(key(i), 8, now_ms);
    if (i % 5 != 0) continue;
    good += table.is_good(known.hint, known.hash, now_ms) ? 1 : 0;
    known = with_hint(table, known, now_ms);
    ASSERT_EQ(table.find(known, now_ms), 7u) << i;
  }
  EXPECT_GT(good, 2'000) << "of 4,000";
}

TEST(StickyTable, ManyThreadsGoByHintsToNoServerThatIsNoMore) {
  StickyTable table({});
  int64_t now_ms = monotonic_ms();
  table.put(key(1), 0, now_ms);
  std::atomic<uint32_t> at_least{0};
  run_threads(4, [&](int thread) {
    StickyKey known = key(1);
    for (uint32_t i = 1; i < 20'000; ++i) {
      if (thread == 0) {
        table.put(key(1), i, now_ms);
        at_least.store(i, std::memory_order_release);
        continue;
      }
      known = with_hint(table, known, now_ms);
      uint32_t least = at_least.load(std::memory_order_acquire);
      EXPECT_GE(table.find(known, now_ms), least);
    }
  });
}

TEST(StickyTable, ManyThreadsSeeOneTable) {
  StickyTable table({.max_entries = 100'000});
  int64_t now_ms = monotonic_ms();
  run_threads(4, [&](int thread) {
    for (uint64_t i = 0; i < 5'000; ++i) {
      auto number = static_cast<uint32_t>(i);
      table.put(key(i), number, now_ms);
      EXPECT_EQ(table.find(key(i), now_ms), number);
      if (thread == 0 && i % 1'000 == 0) table.forget(UINT32_MAX);
    }
  });
  EXPECT_EQ(table.size(), 5'000u);
}

}  // namespace
}  // namespace lb
