// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>

namespace lb {

// Room for a table that is looked into at random and grows up to `size` bytes: memory comes with
// its first use, and in huge pages (2 MiB) where the system has them to give (THP "madvise" or
// "always"), so that the CPU need not search for each address. Any thread.
class HugePages {
 public:
  explicit HugePages(size_t size) : size_(size + kPage) {
    void* mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return;
    mapped_ = begin_ = mapped;
    size_t room = size_;
    std::align(kPage, size, begin_, room);
    ::madvise(begin_, size, MADV_HUGEPAGE);  // no more than a wish
  }
  ~HugePages() {
    if (mapped_ != nullptr) ::munmap(mapped_, size_);
  }
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;

  // Null where there was no address space.
  void* begin() const { return begin_; }

 private:
  static constexpr size_t kPage = 2 << 20;

  const size_t size_;
  void* mapped_ = nullptr;
  void* begin_ = nullptr;
};

}  // namespace lb
