// SPDX-License-Identifier: MIT
#include "l7/own_response.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace lb {
namespace {

TEST(DateText, IsTheTimeAsHttpHasIt) {
  time_t before = time(nullptr);
  std::string text(DateText().now());
  tm parts{};
  const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  ASSERT_TRUE(end != nullptr && *end == '\0') << text;
  EXPECT_GE(timegm(&parts), before);
  EXPECT_LE(timegm(&parts), time(nullptr));
}

}  // namespace
}  // namespace lb
