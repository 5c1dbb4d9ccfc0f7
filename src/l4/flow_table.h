// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/hash.h"
#include "l4/flow_key.h"

namespace lb {

// Flows by key: open addressing with the key inline, 32 bytes a slot, linear probing, at most 5 of
// 8 slots in use, so that a look-up touches one or two cache lines. Grows and shrinks by halves;
// does not own what it points to. The seed keeps clients from choosing keys that collide. One
// worker.
template <typename T>
class FlowTable {
 public:
  explicit FlowTable(uint64_t seed) : seed_(seed), slots_(kLeast) {}

  size_t size() const { return size_; }
  size_t bytes() const { return slots_.size() * sizeof(Slot); }

  T* find(const FlowKey& key) const {
    for (size_t i = home(key);; i = next(i)) {
      const Slot& slot = slots_[i];
      if (slot.flow == nullptr) return nullptr;
      if (slot.key == key) return slot.flow;
    }
  }

  // `key` must not be in it.
  void insert(const FlowKey& key, T* flow) {
    if ((size_ + 1) * 8 > slots_.size() * 5) resize(slots_.size() * 2);
    place(key, flow);
    ++size_;
  }

  // `key` must be in it.
  void erase(const FlowKey& key) {
    size_t hole = home(key);
    while (!(slots_[hole].key == key)) hole = next(hole);
    // What was pushed on by the one that goes moves back, so that no marks are left behind.
    for (size_t i = next(hole); slots_[i].flow != nullptr; i = next(i)) {
      size_t wanted = home(slots_[i].key);
      if (((i - wanted) & mask()) < ((i - hole) & mask())) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
    --size_;
    if (slots_.size() > kLeast && size_ * 8 < slots_.size()) resize(slots_.size() / 2);
  }

 private:
  struct Slot {
    FlowKey key;
    T* flow = nullptr;
  };
  static constexpr size_t kLeast = 64;

  size_t mask() const { return slots_.size() - 1; }
  size_t next(size_t i) const { return (i + 1) & mask(); }
  size_t home(const FlowKey& key) const {
    uint64_t rest = uint64_t{key.local} << 32 | uint64_t{key.port} << 16 | key.socket;
    return mix64(mix64(key.high ^ seed_) ^ mix64(key.low + std::rotl(seed_, 32)) ^
                 mix64(rest + seed_)) &
           mask();
  }
  void place(const FlowKey& key, T* flow) {
    size_t i = home(key);
    while (slots_[i].flow != nullptr) i = next(i);
    slots_[i] = {key, flow};
  }
  void resize(size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.flow != nullptr) place(slot.key, slot.flow);
    }
  }

  uint64_t seed_;
  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace lb
