// SPDX-License-Identifier: MIT
#include "l4/flow_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <unordered_map>
#include <vector>

namespace lb {
namespace {

FlowKey key_number(uint64_t i) {
  return {.high = 0,
          .low = 0xffff'0000'0000 + i / 50'000,
          .local = 0,
          .port = static_cast<uint16_t>(i % 50'000 + 1),
          .socket = 0};
}

TEST(FlowTable, FindsWhatWasPutInAndNothingElse) {
  int flows[3] = {};
  FlowTable<int> table(7);
  EXPECT_EQ(table.find(key_number(1)), nullptr);
  for (uint64_t i = 0; i < 3; ++i) table.insert(key_number(i), &flows[i]);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(table.find(key_number(i)), &flows[i]);
  EXPECT_EQ(table.find(key_number(3)), nullptr);
  table.erase(key_number(1));
  EXPECT_EQ(table.find(key_number(1)), nullptr);
  EXPECT_EQ(table.find(key_number(0)), &flows[0]);
  EXPECT_EQ(table.find(key_number(2)), &flows[2]);
  EXPECT_EQ(table.size(), 2u);
}

TEST(FlowTable, EveryPartOfTheKeyTellsFlowsApart) {
  const FlowKey key{1, 2, 3, 4, 5};
  const FlowKey others[] = {
      {9, 2, 3, 4, 5}, {1, 9, 3, 4, 5}, {1, 2, 9, 4, 5}, {1, 2, 3, 9, 5}, {1, 2, 3, 4, 9}};
  int flow = 0;
  FlowTable<int> table(7);
  table.insert(key, &flow);
  for (const FlowKey& other : others) EXPECT_EQ(table.find(other), nullptr);
}

// Against a map of the standard library, over random insertions and removals.
TEST(FlowTable, AgreesWithAMapWhateverComesAndGoes) {
  std::vector<int> flows(2'000);
  FlowTable<int> table(3);
  std::unordered_map<uint64_t, int*> map;
  uint64_t random = 1;
  for (int step = 0; step < 200'000; ++step) {
    random = mix64(random);
    uint64_t i = random % flows.size();
    if (map.contains(i)) {
      table.erase(key_number(i));
      map.erase(i);
    } else if (random >> 60 < 9) {
      table.insert(key_number(i), &flows[i]);
      map[i] = &flows[i];
    }
    uint64_t asked = (random >> 20) % flows.size();
    auto found = map.find(asked);
    ASSERT_EQ(table.find(key_number(asked)), found == map.end() ? nullptr : found->second);
  }
  ASSERT_EQ(table.size(), map.size());
}

TEST(FlowTable, HoldsAMillionAndGivesTheMemoryBack) {
  constexpr uint64_t kFlows = 1'000'000;
  std::vector<char> flows(kFlows);
  FlowTable<char> table(11);
  for (uint64_t i = 0; i < kFlows; ++i) table.insert(key_number(i), &flows[i]);
  EXPECT_EQ(table.size(), kFlows);
  EXPECT_LE(table.bytes(), kFlows * 104) << "at most three slots and a bit for each flow";
  for (uint64_t i = 0; i < kFlows; ++i) ASSERT_EQ(table.find(key_number(i)), &flows[i]);
  EXPECT_EQ(table.find(key_number(kFlows)), nullptr);
  for (uint64_t i = 0; i < kFlows; i += 2) table.erase(key_number(i));
  for (uint64_t i = 1; i < kFlows; i += 2) ASSERT_EQ(table.find(key_number(i)), &flows[i]);
  for (uint64_t i = 1; i < kFlows; i += 2) table.erase(key_number(i));
  EXPECT_EQ(table.size(), 0u);
  EXPECT_LE(table.bytes(), 4'096u);
}

}  // namespace
}  // namespace lb
