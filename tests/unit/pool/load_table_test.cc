// SPDX-License-Identifier: MIT
#include "pool/load_table.h"

#include <gtest/gtest.h>

#include <set>

namespace lb {
namespace {

TEST(LoadTable, SlotsStartAtZeroAndDoNotMove) {
  LoadTable table;
  std::vector<LoadTable::Counter*> slots;
  for (uint32_t i = 0; i < 3'000; ++i) {
    slots.push_back(&table.acquire_slot());
    EXPECT_EQ(slots.back()->load(), 0U);
    slots.back()->store(i);
  }
  for (uint32_t i = 0; i < slots.size(); ++i) EXPECT_EQ(slots[i]->load(), i);
  EXPECT_EQ(std::set<LoadTable::Counter*>(slots.begin(), slots.end()).size(), slots.size());
}

TEST(LoadTable, NeighboursArePacked) {
  LoadTable table;
  LoadTable::Counter* first = &table.acquire_slot();
  for (int i = 1; i < 1'000; ++i) EXPECT_EQ(&table.acquire_slot(), first + i);
}

TEST(LoadTable, AReleasedSlotIsReusedFirst) {
  LoadTable table;
  table.acquire_slot();
  LoadTable::Counter& released = table.acquire_slot();
  table.acquire_slot();
  table.release_slot(released);
  EXPECT_EQ(&table.acquire_slot(), &released);
  EXPECT_NE(&table.acquire_slot(), &released);
}

TEST(LoadTableDeathTest, ReleasingASlotWithWorkInItAborts) {
  LoadTable table;
  LoadTable::Counter& slot = table.acquire_slot();
  slot.store(2);
  EXPECT_DEATH(table.release_slot(slot), "released with 2 units of work");
}

}  // namespace
}  // namespace lb
