// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

namespace lb {

// Memory for tables that are looked into at random: from 2 MiB on it lies in huge pages, where the
// system has them (THP "madvise" or "always"), so that the CPU finds each address at once. Any
// thread.
template <typename T>
struct HugePages {
  using value_type = T;

  HugePages() = default;
  template <typename Other>
  HugePages(const HugePages<Other>&) {}

  T* allocate(size_t count) {
    void* memory = ::operator new(count * sizeof(T), alignment(count));
    if (is_huge(count)) ::madvise(memory, count * sizeof(T), MADV_HUGEPAGE);  // no more than a wish
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) { ::operator delete(memory, alignment(count)); }

  friend bool operator==(const HugePages&, const HugePages&) { return true; }

 private:
  static constexpr size_t kPage = 2 << 20;

  static bool is_huge(size_t count) { return count * sizeof(T) >= kPage; }
  static std::align_val_t alignment(size_t count) {
    return std::align_val_t{is_huge(count) ? kPage : alignof(T)};
  }
};

template <typename T>
using HugeVector = std::vector<T, HugePages<T>>;

}  // namespace lb
