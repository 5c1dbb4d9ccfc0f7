// SPDX-License-Identifier: MIT
#include "common/base64url.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

TEST(Base64url, WritesAndReadsTheSame) {
  // RFC 4648, 10, without padding.
  const std::pair<std::string, std::string> rows[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
  for (const auto& [bytes, text] : rows) {
    EXPECT_EQ(encode_base64url(bytes), text);
    EXPECT_EQ(decode_base64url(text), bytes) << text;
  }
}

TEST(Base64url, RefusesOtherSpellings) {
  for (const char* text :
       {"Z", "Zg==", "Zg=", "Zh", "Zm9", "Zm9vZ", "+/8", "Z g", "Zg\n", "Zm9vYmF."}) {
    EXPECT_FALSE(decode_base64url(text)) << text;
  }
}

}  // namespace
}  // namespace lb
