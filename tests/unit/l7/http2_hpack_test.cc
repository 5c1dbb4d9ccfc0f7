// SPDX-License-Identifier: MIT
#include "l7/http2_hpack.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "l7/http2_hpack_encoder.h"

namespace lb {
namespace {

std::string decoded(HpackDecoder& decoder, std::string_view block) {
  std::string text;
  std::string_view name;
  std::string_view value;
  HpackDecoder::Step step;
  while ((step = decoder.next(block, name, value)) == HpackDecoder::Step::field) {
    text.append(name).append("=").append(value).append("\n");
  }
  return step == HpackDecoder::Step::end ? text : "broken";
}

TEST(HpackTest, WhatIsEncodedIsDecodedWithNamesInLowerCase) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  std::vector<Field> fields = {{":status", "200"},
                               {"Content-Type", "text/plain"},
                               {"x-lower", ""},
                               {"X-UPPER", "Value Stays"},
                               {std::string_view("server"), "lb"}};
  const std::string expected =
      ":status=200\ncontent-type=text/plain\nx-lower=\nx-upper=Value Stays\nserver=lb\n";
  for (int i = 0; i < 3; ++i) {
    std::string block;
    encoder.encode(fields, block);
    EXPECT_EQ(block.front(), i == 0 ? '\x20' : '\x88');  // the peer need keep no table
    EXPECT_EQ(decoded(decoder, block), expected);
  }
}

// RFC 7541, appendix A, as libnghttp2 has it.
TEST(HpackTest, WhatTheTableHasIsAByte) {
  HpackDecoder decoder;
  HpackEncoder encoder;
  std::string first;
  encoder.encode({}, first);
  for (int i = 1; i <= 61; ++i) {
    std::string block(1, static_cast<char>(0x80 + i));
    std::string_view rest = block;
    std::string_view name;
    std::string_view value;
    ASSERT_EQ(decoder.next(rest, name, value), HpackDecoder::Step::field);
    Field field{name, value};
    std::string whole;
    encoder.encode({&field, 1}, whole);
    EXPECT_EQ(whole.size(), value.empty() ? (i < 15 ? 2u : 3u) : 1u) << i;
    if (!value.empty()) {
      EXPECT_EQ(whole, block);
    }
    std::string shown = std::string(name) + "=" + std::string(value) + "\n";
    EXPECT_EQ(decoder.next(rest, name, value), HpackDecoder::Step::end);
    EXPECT_EQ(decoded(decoder, whole), shown);
    std::string upper = shown.substr(0, shown.find('='));
    for (char& c : upper) c = static_cast<char>(toupper(c));
    field = {upper, "Another"};
    whole.clear();
    encoder.encode({&field, 1}, whole);
    EXPECT_LE(whole.size(), 3u + 7u) << upper;  // the name is an index
    EXPECT_EQ(decoded(decoder, whole), shown.substr(0, shown.find('=')) + "=Another\n");
  }
}

TEST(HpackTest, NamesAndValuesOfEveryLengthAreReadAgain) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  for (size_t size : {1u, 5u, 7u, 14u, 15u, 16u, 126u, 127u, 128u, 254u, 255u, 256u, 16'510u,
                      16'511u, 16'512u, 40'000u}) {
    std::string name(size, 'N');
    std::string low(size, 'n');
    std::string value(size, 'V');
    std::vector<Field> fields = {{name, value}, {"date", value}, {"x", "y"}};
    std::string block = "before";
    encoder.encode(fields, block);
    EXPECT_EQ(decoded(decoder, std::string_view(block).substr(6)),
              low + "=" + value + "\ndate=" + value + "\nx=y\n");
  }
}

TEST(HpackTest, NobodyIsToKeepASecret) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  Field field{"Authorization", "Basic abc", FieldId::authorization};
  std::string block;
  encoder.encode({&field, 1}, block);
  EXPECT_EQ(block.substr(1, 2), "\x1f\x08");
  EXPECT_EQ(decoded(decoder, block), "authorization=Basic abc\n");
}

TEST(HpackTest, WhatIsBrokenStaysBroken) {
  for (std::string_view block : {"\xbe", "\x80", "\x10", "\x3f\xe2\x1f"}) {
    HpackDecoder decoder;
    EXPECT_EQ(decoded(decoder, block), "broken");
  }
}

}  // namespace
}  // namespace lb
