// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/intrusive_list.h"

namespace lb {

// Memory for many objects of one size, apart from the heap: there a few small things that were
// allocated among them would hold all their pages for good, here a block that is empty goes back to
// the system. All calls on one thread, or, once that has ended, on the one that clears up after it:
// objects may outlive the slab.
class Slab {
 public:
  explicit Slab(size_t object_size);
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  void* allocate();
  // Of whichever slab it is.
  static void free(void* object);

  static constexpr size_t kBlockSize = 64 * 1024;
  static constexpr size_t kSpareBlocks = 4;

 private:
  // Stands at the beginning of its memory, which is aligned to its size: an object finds its block.
  struct Block : ListHook {
    Slab* slab = nullptr;   // null once that is gone
    void* freed = nullptr;  // objects that were, each pointing to the next
    uint32_t carved = 0;    // objects that ever were, from the beginning of the block
    uint32_t used = 0;      // objects that are
  };

  static Block* map_block();
  static void unmap(Block& block);
  static Block& block_of(void* object);
  char* place(Block& block, size_t index) const;
  void release(Block& block);

  const size_t object_size_;
  const size_t objects_per_block_;
  IntrusiveList<Block> open_;  // have room and objects
  IntrusiveList<Block> full_;
  IntrusiveList<Block> spare_;  // have no objects
};

// Derive T from it, and `new T` takes its memory from a slab of the thread.
template <typename T>
class InSlab {
 public:
  static void* operator new(size_t) { return slab().allocate(); }
  static void operator delete(void* object) { Slab::free(object); }

 private:
  static Slab& slab() {
    static thread_local Slab slab(sizeof(T));
    return slab;
  }
};

}  // namespace lb
