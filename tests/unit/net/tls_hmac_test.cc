// SPDX-License-Identifier: MIT
#include "net/tls_hmac.h"

#include <gtest/gtest.h>

#include <string>

#include "common/log.h"

namespace lb {
namespace {

std::string hex(const Hmac::Tag& tag) {
  std::string text;
  for (char c : tag) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// RFC 4231.
TEST(Hmac, AgreesWithTheStandard) {
  struct Row {
    std::string key;
    std::string bytes;
    const char* tag;
  };
  const Row rows[] = {
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
  };
  for (const Row& row : rows) EXPECT_EQ(hex(Hmac(row.key).of(row.bytes)), row.tag) << row.bytes;
}

TEST(Hmac, KnowsWhatItHasMade) {
  Hmac hmac("key");
  Hmac::Tag tag = hmac.of("bytes");
  std::string_view whole(tag.data(), tag.size());
  EXPECT_TRUE(hmac.has_made(whole, "bytes"));
  EXPECT_TRUE(hmac.has_made(whole.substr(0, 16), "bytes"));
  EXPECT_FALSE(hmac.has_made(whole, "other"));
  EXPECT_FALSE(Hmac("other").has_made(whole, "bytes"));
  EXPECT_FALSE(hmac.has_made("", "bytes"));
  EXPECT_FALSE(hmac.has_made(std::string(whole) + "x", "bytes"));
}

}  // namespace
}  // namespace lb
