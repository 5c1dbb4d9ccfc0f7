// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace lb {

// A hash map that holds at most so many entries: a new one takes the place of the least recently
// used. What a look-up needs of an entry lies in one node, which no cache line cuts that is large
// enough for it; the links by use lie apart. Nodes are in blocks, so that memory grows with the
// entries and never moves them; buckets are four bytes. `Hash` must mix well: its low bits choose
// the bucket. One thread at a time.
template <typename Key, typename Value, typename Hash>
class LruMap {
 public:
  explicit LruMap(size_t capacity) : capacity_(std::max<size_t>(1, capacity)) {}
  LruMap(LruMap&&) noexcept = default;
  LruMap& operator=(LruMap&&) noexcept = default;

  size_t size() const { return size_; }
  // A new entry would take another's place.
  bool is_full() const { return size_ >= capacity_; }

  // Null where there is none. Not a use.
  Value* find(const Key& key) {
    uint32_t index = locate(key);
    return index == kNone ? nullptr : &node(index).value;
  }
  // The same, and it is now the most recently used.
  Value* use(const Key& key) {
    uint32_t index = locate(key);
    if (index == kNone) return nullptr;
    use_at(index);
    return &node(index).value;
  }
  // The same at the cost of one cache line instead of four: when it is the one to go it is passed
  // over once, and is the most recently used from then on. Of many that were touched at most
  // kMostPassedOver are passed over at a time, so that no call takes long.
  Value* touch(const Key& key) {
    uint32_t index = locate(key);
    if (index == kNone) return nullptr;
    Node& touched = node(index);
    if (!touched.is_touched) touched.is_touched = true;
    return &touched.value;
  }
  // Takes the place of what was there; the most recently used.
  void put(const Key& key, Value value) {
    if (Value* known = use(key)) {
      *known = std::move(value);
      return;
    }
    while (is_full()) erase_oldest();
    if (size_ >= buckets_.size()) grow();
    uint32_t index = allocate();
    Node& added = node(index);
    added.key = key;
    added.value = std::move(value);
    uint32_t& bucket = buckets_[slot(key)];
    added.next = bucket;
    bucket = index;
    link_newest(index);
    ++size_;
  }
  bool erase(const Key& key) {
    uint32_t index = locate(key);
    if (index != kNone) remove(index);
    return index != kNone;
  }
  void set_capacity(size_t capacity) {
    capacity_ = std::max<size_t>(1, capacity);
    while (size_ > capacity_) erase_oldest();
  }
  // The one whose place a new one would take, and says which it was. There is one.
  Key erase_oldest() {
    uint32_t index = oldest();
    Key key = node(index).key;
    remove(index);
    return key;
  }
  // Looks at so many of the least recently used, until one is neither `gone(key, value)`, and
  // erased, nor touched, and passed over.
  template <typename Gone>
  void erase_oldest(size_t looks, Gone gone) {
    for (; looks > 0 && size_ > 0; --looks) {
      if (gone(node(oldest_).key, node(oldest_).value)) {
        remove(oldest_);
      } else if (!pass_over(oldest_)) {
        return;
      }
    }
  }
  // Erases every entry for which `gone(key, value)` holds.
  template <typename Gone>
  void erase_if(Gone gone) {
    for (uint32_t index = oldest_; index != kNone;) {
      uint32_t after = links(index).newer;
      if (gone(node(index).key, node(index).value)) remove(index);
      index = after;
    }
  }
  // From the most recently used on, until `visit(key, value)` says false.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t index = newest_; index != kNone; index = links(index).older) {
      if (!visit(node(index).key, node(index).value)) return;
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kFirstBlock = 64;
  static constexpr uint32_t kDoublings = 4;
  static constexpr uint32_t kBlock = kFirstBlock << kDoublings;
  static constexpr size_t kCacheLine = 64;
  static constexpr int kMostPassedOver = 32;

  struct Hot {
    Key key{};
    uint32_t next = kNone;  // in its bucket, or of the free ones
    bool is_touched = false;
    Value value{};
  };
  struct alignas(std::min<size_t>(std::bit_ceil(sizeof(Hot)), kCacheLine)) Node : Hot {};
  struct Links {
    uint32_t newer = kNone;  // by use
    uint32_t older = kNone;
  };
  // As large as all before it together, up to kBlock nodes: few are needed, so that which one an
  // entry is in is known at no cost.
  struct Block {
    explicit Block(size_t size)
        : nodes(std::make_unique<Node[]>(size)), links(std::make_unique<Links[]>(size)) {}
    std::unique_ptr<Node[]> nodes;
    std::unique_ptr<Links[]> links;
  };

  static size_t block_of(uint32_t index) {
    return index < kBlock ? std::bit_width(index / kFirstBlock) : kDoublings + index / kBlock;
  }
  static uint32_t place_in_block(uint32_t index) {
    return index < kBlock ? index - std::bit_floor(index / kFirstBlock) * kFirstBlock
                          : index % kBlock;
  }
  static size_t size_of_block(size_t number) {
    if (number == 0) return kFirstBlock;
    return number <= kDoublings ? kFirstBlock << (number - 1) : kBlock;
  }

  Node& node(uint32_t index) { return blocks_[block_of(index)].nodes[place_in_block(index)]; }
  const Node& node(uint32_t index) const {
    return blocks_[block_of(index)].nodes[place_in_block(index)];
  }
  Links& links(uint32_t index) { return blocks_[block_of(index)].links[place_in_block(index)]; }
  const Links& links(uint32_t index) const {
    return blocks_[block_of(index)].links[place_in_block(index)];
  }
  size_t slot(const Key& key) const { return Hash()(key) & (buckets_.size() - 1); }

  uint32_t locate(const Key& key) const {
    if (buckets_.empty()) return kNone;
    uint32_t index = buckets_[slot(key)];
    while (index != kNone && !(node(index).key == key)) index = node(index).next;
    return index;
  }

  // The one to go. There is one.
  uint32_t oldest() {
    for (int left = kMostPassedOver; left > 0 && pass_over(oldest_); --left) {
    }
    return oldest_;
  }

  bool pass_over(uint32_t index) {
    bool is_touched = node(index).is_touched;
    if (is_touched) use_at(index);
    return is_touched;
  }

  void use_at(uint32_t index) {
    node(index).is_touched = false;
    if (index == newest_) return;
    unlink(index);
    link_newest(index);
  }

  uint32_t allocate() {
    if (free_ != kNone) return std::exchange(free_, node(free_).next);
    if (block_of(used_) == blocks_.size()) blocks_.emplace_back(size_of_block(blocks_.size()));
    return used_++;
  }

  void remove(uint32_t index) {
    Node& gone = node(index);
    uint32_t* link = &buckets_[slot(gone.key)];
    while (*link != index) link = &node(*link).next;
    *link = gone.next;
    unlink(index);
    gone.key = {};
    gone.value = {};
    gone.is_touched = false;
    gone.next = free_;
    free_ = index;
    --size_;
  }

  void unlink(uint32_t index) {
    const Links& it = links(index);
    (it.newer == kNone ? newest_ : links(it.newer).older) = it.older;
    (it.older == kNone ? oldest_ : links(it.older).newer) = it.newer;
  }

  void link_newest(uint32_t index) {
    links(index) = {.newer = kNone, .older = newest_};
    (newest_ == kNone ? oldest_ : links(newest_).newer) = index;
    newest_ = index;
  }

  void grow() {
    buckets_.assign(std::max<size_t>(16, std::bit_ceil(size_ + 1) * 2), kNone);
    for (uint32_t index = oldest_; index != kNone; index = links(index).newer) {
      uint32_t& bucket = buckets_[slot(node(index).key)];
      node(index).next = bucket;
      bucket = index;
    }
  }

  size_t capacity_;
  size_t size_ = 0;
  std::vector<Block> blocks_;
  std::vector<uint32_t> buckets_;  // a power of two
  uint32_t used_ = 0;              // nodes that were ever in use
  uint32_t free_ = kNone;
  uint32_t newest_ = kNone;
  uint32_t oldest_ = kNone;
};

}  // namespace lb
