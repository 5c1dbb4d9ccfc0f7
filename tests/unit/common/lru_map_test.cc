// SPDX-License-Identifier: MIT
#include "common/lru_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <set>
#include <string>
#include <vector>

#include "common/hash.h"

namespace lb {
namespace {

struct Mixed {
  size_t operator()(uint64_t key) const { return static_cast<size_t>(mix64(key)); }
};
using Map = LruMap<uint64_t, std::string, Mixed>;

std::vector<uint64_t> keys_of(const Map& map) {
  std::vector<uint64_t> keys;
  map.for_each([&](uint64_t key, const std::string&) {
    keys.push_back(key);
    return true;
  });
  return keys;
}

TEST(LruMap, FindsWhatWasPutThere) {
  Map map(10);
  EXPECT_EQ(map.find(1), nullptr);
  map.put(1, "a");
  map.put(2, "b");
  EXPECT_EQ(*map.find(1), "a");
  map.put(1, "c");
  EXPECT_EQ(*map.find(1), "c");
  EXPECT_EQ(map.size(), 2u);
  EXPECT_TRUE(map.erase(1));
  EXPECT_FALSE(map.erase(1));
  EXPECT_EQ(map.find(1), nullptr);
}

TEST(LruMap, TheLeastRecentlyUsedGoes) {
  Map map(3);
  for (uint64_t key : {1, 2, 3}) map.put(key, "");
  EXPECT_NE(map.use(1), nullptr);
  EXPECT_NE(map.find(2), nullptr);  // is no use
  map.put(4, "");
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{4, 1, 3}));
  map.set_capacity(1);
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{4}));
}

TEST(LruMap, WhatWasTouchedGoesOneRoundLater) {
  Map map(3);
  for (uint64_t key : {1, 2, 3}) map.put(key, "");
  EXPECT_NE(map.touch(1), nullptr);
  EXPECT_EQ(map.touch(9), nullptr);
  map.put(4, "");
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{4, 1, 3}));
  map.put(5, "");
  map.put(6, "");  // 1 had its round
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{6, 5, 4}));
}

TEST(LruMap, WhereAllWereTouchedThereIsStillOneThatGoes) {
  Map map(3);
  for (uint64_t key : {1, 2, 3}) map.put(key, "");
  for (uint64_t key : {3, 2, 1}) map.touch(key);
  map.put(4, "");
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{4, 3, 2}));
  map.touch(3);
  EXPECT_TRUE(map.erase(3));
  map.put(3, "");  // is new, not touched
  map.put(5, "");
  map.put(6, "");
  map.put(7, "");
  EXPECT_EQ(map.find(3), nullptr);
  map.erase_oldest(9, [](uint64_t key, const std::string&) { return key == 5; });
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{7, 6}));
}

TEST(LruMap, BehindWhatWasTouchedTheOldestAreFound) {
  Map map(9);
  for (uint64_t key : {1, 2, 3, 4, 5}) map.put(key, "");
  for (uint64_t key : {1, 2, 4}) map.touch(key);
  auto is_gone = [](uint64_t key, const std::string&) { return key == 2 || key == 3; };
  map.erase_oldest(2, is_gone);  // 1 is passed over, 2 is gone though it was touched
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{1, 5, 4, 3}));
  map.erase_oldest(9, is_gone);
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{4, 1, 5}));
}

TEST(LruMap, WhereAllWereTouchedNoCallPassesOverThemAll) {
  Map map(1'000);
  for (uint64_t key = 0; key < 1'000; ++key) map.put(key, "");
  for (uint64_t key = 0; key < 1'000; ++key) map.touch(key);
  map.put(1'000, "");
  EXPECT_EQ(keys_of(map).back(), 33u) << "32 were passed over, and one went";
  EXPECT_EQ(map.find(32), nullptr);
  EXPECT_EQ(map.size(), 1'000u);
}

TEST(LruMap, ErasesByWhatEntriesAre) {
  Map map(100);
  for (uint64_t key = 0; key < 10; ++key) map.put(key, key < 5 ? "old" : "new");
  map.erase_oldest(9, [](uint64_t key, const std::string&) { return key < 3; });
  EXPECT_EQ(map.size(), 7u);
  map.erase_if([](uint64_t, const std::string& value) { return value == "old"; });
  EXPECT_EQ(keys_of(map), (std::vector<uint64_t>{9, 8, 7, 6, 5}));
}

TEST(LruMap, GrowsAndMovesNothing) {
  constexpr uint64_t kMany = 100'000;  // a hundred blocks
  Map map(kMany);
  std::vector<const std::string*> places;
  for (uint64_t key = 0; key < kMany; ++key) {
    map.put(key, std::to_string(key));
    places.push_back(map.find(key));
  }
  EXPECT_EQ(std::set<const std::string*>(places.begin(), places.end()).size(), kMany);
  for (uint64_t key = 0; key < kMany; ++key) {
    ASSERT_EQ(map.find(key), places[key]);
    ASSERT_EQ(*places[key], std::to_string(key));
  }
  EXPECT_EQ(keys_of(map).size(), kMany);
}

TEST(LruMap, BehavesAsASlowOneDoes) {
  constexpr size_t kCapacity = 50;
  Map map(kCapacity);
  std::list<std::pair<uint64_t, std::string>> slow;  // the latest first
  uint64_t random = 1;
  for (int i = 0; i < 50'000; ++i) {
    random = mix64(random);
    uint64_t key = random % 120;
    auto it =
        std::find_if(slow.begin(), slow.end(), [&](auto& entry) { return entry.first == key; });
    switch (random >> 60 & 3) {
      case 0:
        if (it != slow.end()) slow.erase(it);
        map.erase(key);
        break;
      case 1:
        if (it != slow.end()) slow.splice(slow.begin(), slow, it);
        map.use(key);
        break;
      default:
        if (it != slow.end()) slow.erase(it);
        slow.emplace_front(key, std::to_string(i));
        if (slow.size() > kCapacity) slow.pop_back();
        map.put(key, std::to_string(i));
    }
    ASSERT_EQ(map.size(), slow.size());
  }
  for (const auto& [key, value] : slow) {
    ASSERT_NE(map.find(key), nullptr);
    EXPECT_EQ(*map.find(key), value);
  }
  EXPECT_EQ(keys_of(map).size(), slow.size());
}

}  // namespace
}  // namespace lb
