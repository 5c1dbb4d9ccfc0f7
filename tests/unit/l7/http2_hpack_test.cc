// SPDX-License-Identifier: MIT
#include "l7/http2_hpack.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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
  std::string first;
  encoder.encode(fields, first);
  EXPECT_EQ(decoded(decoder, first), expected);
  std::string second;
  encoder.encode(fields, second);
  EXPECT_LT(second.size(), first.size() / 2);  // by the table
  EXPECT_EQ(decoded(decoder, second), expected);
}

TEST(HpackTest, ManyFieldsAndLongNamesAreOneBlock) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  std::string name(700, 'N');
  std::string low(700, 'n');
  std::vector<Field> fields(100, Field{name, "v"});
  std::string block = "before";
  encoder.encode(fields, block);
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += low + "=v\n";
  EXPECT_EQ(decoded(decoder, std::string_view(block).substr(6)), expected);
}

TEST(HpackTest, TheTableIsAsLargeAsThePeerSays) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  std::vector<Field> fields = {{"x-a", "some value that is worth keeping"}};
  for (size_t size : {size_t{0}, size_t{64}, size_t{1} << 31, size_t{0}, size_t{4096}}) {
    encoder.set_table_size(size);
    for (int i = 0; i < 3; ++i) {
      std::string block;
      encoder.encode(fields, block);
      EXPECT_EQ(decoded(decoder, block), "x-a=some value that is worth keeping\n") << size;
    }
  }
}

TEST(HpackTest, WhatIsBrokenStaysBroken) {
  for (std::string_view block : {"\xbe", "\x80", "\x10", "\x3f\xe2\x1f"}) {
    HpackDecoder decoder;
    EXPECT_EQ(decoded(decoder, block), "broken");
  }
}

}  // namespace
}  // namespace lb
