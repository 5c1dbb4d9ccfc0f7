// SPDX-License-Identifier: MIT
#include "common/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

// Key 00 01 .. 0f and text 00 01 .., as the authors' test vectors have it; `openssl mac SIPHASH`
// says the same of those that are longer than theirs.
TEST(SipHash, AgreesWithTheTestVectorsOfItsAuthors) {
  struct Row {
    size_t size;
    Digest128 digest;
  };
  const Row rows[] = {
      {0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
      {1, {0x44af996bd8c187da, 0x45fc229b11597634}},
      {7, {0x53c1dbd8beebf1a1, 0x3982f01fa64ab8c0}},
      {8, {0x61f55862baa9623b, 0xb49714f364e2830f}},
      {15, {0x11a8b03399e99354, 0xd9c3cf970fec087e}},
      {16, {0xbb54b067caa4e26e, 0x77052385bf1533fd}},
      {63, {0x4a83502f77d15051, 0x7cbd3f979a063e50}},
      {255, {0x8e5f162875b69b1c, 0xab0e9b79e3488246}},
      {256, {0x464c83d30403a067, 0xcb9a575f7beeea12}},
      {1000, {0x863de09a78fada24, 0xa60b2f37574b6a53}},
  };
  std::string text;
  for (const Row& row : rows) {
    while (text.size() < row.size) text += static_cast<char>(text.size());
    EXPECT_EQ(siphash128({0x0706050403020100, 0x0f0e0d0c0b0a0908}, text), row.digest) << row.size;
  }
}

}  // namespace
}  // namespace lb
