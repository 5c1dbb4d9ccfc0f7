// SPDX-License-Identifier: MIT
#include "net/source_counts.h"

#include "common/hash.h"
#include "common/random.h"

namespace lb {

SourceCounts::SourceCounts() : seed_(random_word()) {}

uint64_t SourceCounts::mixed(uint64_t source) const {
  return mix64(source ^ seed_);
}

bool SourceCounts::take(uint64_t source, uint32_t most) {
  uint64_t key = mixed(source);
  Shard& its = shard(key);
  std::lock_guard lock(its.mutex);
  uint32_t* count = its.counts.find(key);
  if (most == 0 || (count != nullptr && *count >= most)) return false;
  if (count != nullptr) {
    ++*count;
  } else {
    its.counts.put(key, 1);
  }
  return true;
}

void SourceCounts::give_back(uint64_t source) {
  uint64_t key = mixed(source);
  Shard& its = shard(key);
  std::lock_guard lock(its.mutex);
  uint32_t* count = its.counts.find(key);
  if (count != nullptr && --*count == 0) its.counts.erase(key);
}

uint32_t SourceCounts::count(uint64_t source) {
  uint64_t key = mixed(source);
  Shard& its = shard(key);
  std::lock_guard lock(its.mutex);
  const uint32_t* count = its.counts.find(key);
  return count == nullptr ? 0 : *count;
}

}  // namespace lb
