// SPDX-License-Identifier: MIT
#include "common/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace lb {
namespace {

enum class Refusal { full, closed };

Result<int> half(int n) {
  if (n % 2 != 0) return fail("odd");
  return n / 2;
}

Status<> check(bool good) {
  if (!good) return fail("bad");
  return Done{};
}

TEST(Result, HoldsAValueOrAnError) {
  auto good = half(8);
  ASSERT_TRUE(good);
  EXPECT_TRUE(good.has_value());
  EXPECT_EQ(*good, 4);
  auto bad = half(7);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "odd");
}

TEST(Result, ThrowsWhenTheWrongSideIsRead) {
  EXPECT_THROW(half(7).value(), std::bad_variant_access);
  EXPECT_THROW(half(8).error(), std::bad_variant_access);
}

TEST(Result, MovesItsValueOut) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(3));
  std::unique_ptr<int> taken = std::move(*result);
  EXPECT_EQ(*taken, 3);
  std::unique_ptr<int> direct = *Result<std::unique_ptr<int>>(std::make_unique<int>(4));
  EXPECT_EQ(*direct, 4);
}

TEST(Result, TellsValueAndErrorOfOneTypeApart) {
  Result<std::string, std::string> good(std::string("fine"));
  Result<std::string, std::string> bad = Unexpected{std::string("wrong")};
  ASSERT_TRUE(good);
  EXPECT_EQ(good->size(), 4u);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), "wrong");
}

TEST(Result, TakesErrorsOfAnyType) {
  Result<int, Refusal> refused = Unexpected{Refusal::closed};
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Refusal::closed);
}

TEST(Status, SaysOnlyWhetherItWentWell) {
  EXPECT_TRUE(check(true));
  EXPECT_EQ(check(false).error().message, "bad");
}

}  // namespace
}  // namespace lb
