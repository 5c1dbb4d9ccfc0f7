// SPDX-License-Identifier: MIT
#include "common/slab.h"

#include <sys/mman.h>

#include <initializer_list>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

namespace lb {

namespace {

constexpr size_t kAlignment = alignof(std::max_align_t);
constexpr size_t kHeader = 64;

size_t aligned(size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Slab::Slab(size_t object_size)
    : object_size_(aligned(object_size)),
      objects_per_block_((kBlockSize - kHeader) / object_size_) {
  static_assert(sizeof(Block) <= kHeader);
}

Slab::~Slab() {
  spare_.for_each([this](Block& block) {
    spare_.remove(block);
    unmap(block);
  });
  for (auto* blocks : {&open_, &full_}) {
    blocks->for_each([blocks](Block& block) {
      blocks->remove(block);
      block.slab = nullptr;
    });
  }
}

void* Slab::allocate() {
  if (open_.empty()) {
    Block* block = spare_.empty() ? map_block() : &spare_.front();
    if (!spare_.empty()) spare_.remove(*block);
    block->slab = this;
    open_.push_back(*block);
  }
  Block& block = open_.front();
  void* object = block.freed;
  if (object) {
    ASAN_UNPOISON_MEMORY_REGION(object, object_size_);
    block.freed = *static_cast<void**>(object);
  } else {
    object = place(block, block.carved++);
  }
  if (++block.used == objects_per_block_) {
    open_.remove(block);
    full_.push_back(block);
  }
  return object;
}

void Slab::free(void* object) {
  if (!object) return;
  Block& block = block_of(object);
  *static_cast<void**>(object) = block.freed;
  block.freed = object;
  if (block.slab) {
    ASAN_POISON_MEMORY_REGION(object, block.slab->object_size_);
    block.slab->release(block);
  } else if (--block.used == 0) {
    unmap(block);
  }
}

// One of its objects was freed.
void Slab::release(Block& block) {
  if (block.used-- == objects_per_block_) {
    full_.remove(block);
    open_.push_back(block);
  }
  if (block.used > 0) return;
  open_.remove(block);
  if (spare_.size() < kSpareBlocks) {
    spare_.push_back(block);
  } else {
    unmap(block);
  }
}

char* Slab::place(Block& block, size_t index) const {
  return reinterpret_cast<char*>(&block) + kHeader + index * object_size_;
}

Slab::Block& Slab::block_of(void* object) {
  auto address = reinterpret_cast<uintptr_t>(object);
  return *reinterpret_cast<Block*>(address & ~(kBlockSize - 1));
}

// mmap(2) aligns to pages only: maps twice as much and gives back what is too much.
Slab::Block* Slab::map_block() {
  void* mapped =
      mmap(nullptr, 2 * kBlockSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* first = static_cast<char*>(mapped);
  size_t before = -reinterpret_cast<uintptr_t>(mapped) & (kBlockSize - 1);
  if (before > 0) munmap(first, before);
  munmap(first + before + kBlockSize, kBlockSize - before);
  return new (first + before) Block;
}

void Slab::unmap(Block& block) {
  ASAN_UNPOISON_MEMORY_REGION(&block, kBlockSize);
  munmap(&block, kBlockSize);
}

}  // namespace lb
