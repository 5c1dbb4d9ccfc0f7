// SPDX-License-Identifier: MIT
#include "config/scalar.h"

#include <gtest/gtest.h>

#include "config/suggest.h"

namespace lb::config {
namespace {

TEST(Scalars, SizesAreBinaryOrDecimal) {
  const std::pair<const char*, uint64_t> good[] = {
      {"0B", 0},      {"512B", 512},      {"64KiB", 65'536},       {"10MiB", 10'485'760},
      {"1kB", 1'000}, {"2MB", 2'000'000}, {"1GiB", 1'073'741'824}, {"3GB", 3'000'000'000},
  };
  auto any = size(0, UINT64_MAX);
  for (const auto& [text, bytes] : good) {
    auto value = any.parse(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(*value, bytes) << text;
  }
  for (const char* text :
       {"", "B", "64", "64K", "64kb", "64 KiB", "-1B", "1.5MiB", "0x1B", "1TiB"}) {
    EXPECT_FALSE(any.parse(text)) << text;
  }
  auto bounded = size(1'024, 65'536).parse("1MiB");
  ASSERT_FALSE(bounded);
  EXPECT_EQ(bounded.error().message, "'1MiB' is out of range; it must be 1KiB to 64KiB");
  EXPECT_FALSE(size(0, 1'000).parse("99999999999999999999GiB"));
  EXPECT_FALSE(size(0, 1'000).parse("18446744073709551615GiB"));
  auto bare = any.parse("64");
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().message,
            "'64' has no unit; write 64B if bytes are meant (B, KiB, MiB, GiB, kB, MB, GB)");
}

TEST(Scalars, RatesCountPerSecondOrMinute) {
  EXPECT_EQ(*rate().parse("100/s"), (Rate{100, milliseconds(1'000), 100}));
  EXPECT_EQ(*rate().parse("600/m"), (Rate{600, milliseconds(60'000), 10}));
  for (const char* text :
       {"", "100", "/s", "100/", "100/h", "0/s", "-1/s", "1.5/s", "100 /s", "1000000001/s"}) {
    EXPECT_FALSE(rate().parse(text)) << text;
  }
}

TEST(Scalars, DurationsAreShownInTheirLargestUnit) {
  const std::pair<int64_t, const char*> rows[] = {
      {0, "0s"},       {1, "1ms"},        {1'500, "1500ms"},  {90'000, "90s"},
      {120'000, "2m"}, {3'600'000, "1h"}, {86'400'000, "1d"}, {90'000'000, "25h"},
  };
  auto any = duration(milliseconds(0), milliseconds(INT64_MAX));
  for (const auto& [ms, text] : rows) {
    EXPECT_EQ(to_string(milliseconds(ms)), text);
    EXPECT_EQ(*any.parse(text), milliseconds(ms));
  }
}

TEST(Scalars, BooleansTakeTheWordsOfYaml) {
  for (const char* text : {"true", "on", "yes"}) EXPECT_TRUE(*boolean().parse(text)) << text;
  for (const char* text : {"false", "off", "no"}) EXPECT_FALSE(*boolean().parse(text)) << text;
  for (const char* text : {"", "1", "True", "y"}) EXPECT_FALSE(boolean().parse(text)) << text;
}

TEST(Suggestions, AreCloseInSpellingOrInMeaning) {
  const std::vector<std::string_view> words = {"address",           "pool", "balance",
                                               "least_connections", "tcp",  "warning"};
  const std::pair<const char*, const char*> rows[] = {
      {"adress", "address"},
      {"ADDRESS", "address"},
      {"poll", "pool"},
      {"blance", "balance"},
      {"least-connections", "least_connections"},
      {"least_connection", "least_connections"},
      {"leastconn", "least_connections"},
      {"bind", "address"},
      {"warn", "warning"},
      {"tpc", "tcp"},
      {"xyz", ""},
      {"", ""},
      {"frontends", ""},  // listeners is no candidate here
  };
  for (const auto& [written, meant] : rows) EXPECT_EQ(closest(written, words), meant) << written;
  EXPECT_EQ(closest(std::string(1'000'000, 'p'), words), "");
}

}  // namespace
}  // namespace lb::config
