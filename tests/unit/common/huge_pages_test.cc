// SPDX-License-Identifier: MIT
#include "common/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace lb {
namespace {

TEST(HugePages, BeginAtAPageAndAreZeroToTheirEnd) {
  constexpr size_t kPage = 2 << 20;
  constexpr size_t kSize = 2 * kPage + 1'000;
  HugePages pages(kSize);
  ASSERT_NE(pages.begin(), nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(pages.begin()) % kPage, 0u);
  auto* bytes = static_cast<unsigned char*>(pages.begin());
  for (size_t at : {size_t{0}, kPage - 1, kPage, kSize - 1}) {
    EXPECT_EQ(bytes[at], 0);
    bytes[at] = 7;
    EXPECT_EQ(bytes[at], 7);
  }
}

TEST(HugePages, WithoutAddressSpaceThereIsNone) {
  EXPECT_EQ(HugePages(size_t{1} << 60).begin(), nullptr);
}

}  // namespace
}  // namespace lb
