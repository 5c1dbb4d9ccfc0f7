// SPDX-License-Identifier: MIT
#include "pool/load_table.h"

#include <cstdio>
#include <cstdlib>

namespace lb {

LoadTable::Counter& LoadTable::acquire_slot() {
  if (!free_.empty()) {
    Counter* counter = free_.back();
    free_.pop_back();
    return *counter;
  }
  if (used_in_last_ == kBlock) {
    blocks_.push_back(std::make_unique<Counter[]>(kBlock));
    used_in_last_ = 0;
  }
  return blocks_.back()[used_in_last_++];
}

void LoadTable::release_slot(Counter& counter) {
  // Pairs with the release of the last Lease: what its worker did for the server is over. A slot
  // with work in it would count that work at the next server, for good.
  uint32_t active = counter.load(std::memory_order_acquire);
  if (active != 0) {
    std::fprintf(stderr, "LoadTable: a slot was released with %u units of work in it\n", active);
    std::abort();
  }
  free_.push_back(&counter);
}

}  // namespace lb
