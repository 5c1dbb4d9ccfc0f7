// SPDX-License-Identifier: MIT
#include "common/slab.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace lb {
namespace {

constexpr size_t kSize = 1000;

uintptr_t block_of(void* object) {
  return reinterpret_cast<uintptr_t>(object) / Slab::kBlockSize * Slab::kBlockSize;
}

// How many of these blocks the process still has.
size_t mapped(const std::set<uintptr_t>& blocks) {
  size_t count = 0;
  for (uintptr_t block : blocks) {
    unsigned char page;
    count += mincore(reinterpret_cast<void*>(block), 1, &page) == 0;
  }
  return count;
}

// Objects of a slab, each full of a pattern of its own.
class Objects {
 public:
  explicit Objects(size_t size = kSize) : size_(size), slab_(size) {}

  void add(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      void* object = slab_->allocate();
      std::memset(object, static_cast<int>(objects_.size() % 251), size_);
      objects_.push_back(object);
      blocks_.insert(block_of(object));
    }
  }
  void free_all() {
    for (void* object : objects_) Slab::free(object);
    objects_.clear();
  }
  void end_slab() { slab_.reset(); }
  void expect_whole() const {
    for (size_t i = 0; i < objects_.size(); ++i) {
      std::vector<unsigned char> expected(size_, static_cast<unsigned char>(i % 251));
      ASSERT_EQ(std::memcmp(objects_[i], expected.data(), size_), 0) << i;
    }
  }
  const std::vector<void*>& all() const { return objects_; }
  const std::set<uintptr_t>& blocks() const { return blocks_; }

 private:
  size_t size_;
  std::optional<Slab> slab_;
  std::vector<void*> objects_;
  std::set<uintptr_t> blocks_;  // that ever were
};

TEST(Slab, GivesEveryObjectMemoryOfItsOwn) {
  for (size_t size : {size_t{8}, size_t{100}, kSize, size_t{60'000}}) {
    Objects objects(size);
    objects.add(200);
    objects.expect_whole();
    for (void* object : objects.all()) {
      ASSERT_EQ(reinterpret_cast<uintptr_t>(object) % alignof(std::max_align_t), 0u) << size;
    }
    objects.free_all();
  }
}

TEST(Slab, UsesAgainWhatWasFreed) {
  Objects objects;
  objects.add(10);
  for (int i = 0; i < 1'000; ++i) {
    objects.free_all();
    objects.add(10);
    objects.expect_whole();
  }
  EXPECT_EQ(objects.blocks().size(), 1u);
  objects.free_all();
}

TEST(Slab, EmptyBlocksGoBackToTheSystemButForAFew) {
  Objects objects;
  for (int peak = 0; peak < 3; ++peak) {
    objects.add(2'000);
    EXPECT_GT(mapped(objects.blocks()), 25u);
    objects.free_all();
    EXPECT_LE(mapped(objects.blocks()), Slab::kSpareBlocks);
  }
}

TEST(Slab, ABlockWithASingleObjectStays) {
  Objects objects;
  objects.add(2'000);
  void* kept = objects.all()[1'000];
  for (void* object : objects.all()) {
    if (object != kept) Slab::free(object);
  }
  EXPECT_EQ(mapped({block_of(kept)}), 1u);
  EXPECT_EQ(static_cast<unsigned char*>(kept)[kSize - 1], 1'000 % 251);
  Slab::free(kept);
}

TEST(Slab, ObjectsMayOutliveIt) {
  Objects objects;
  objects.add(2'000);
  objects.end_slab();
  objects.expect_whole();
  objects.free_all();
  EXPECT_EQ(mapped(objects.blocks()), 0u);
}

struct Base {
  virtual ~Base() = default;
  char bytes[100] = {};
};
struct Session final : InSlab<Session>, Base {
  char more[500] = {};
};

TEST(InSlab, NewAndDeleteKeepToASlabOfTheThread) {
  std::vector<std::unique_ptr<Base>> sessions;
  std::set<uintptr_t> blocks;
  auto begin_100 = [&] {
    for (int i = 0; i < 100; ++i) {
      auto session = std::make_unique<Session>();
      blocks.insert(block_of(session.get()));
      sessions.push_back(std::move(session));
    }
  };
  begin_100();
  EXPECT_EQ(blocks.size(), 1u);
  std::thread(begin_100).join();
  EXPECT_EQ(blocks.size(), 2u);
  sessions.clear();  // of a thread that has ended, too
  EXPECT_EQ(mapped(blocks), 1u) << "a spare one of this thread's";
}

}  // namespace
}  // namespace lb
