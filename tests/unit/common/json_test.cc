// SPDX-License-Identifier: MIT
#include "common/json.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

TEST(Json, ReadsAText) {
  auto json = parse_json(R"({"b": [1, -2.5, true, null], "a": "\u00e9"})");
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(to_text(*json), "{\"b\":[1,-2.5,true,null],\"a\":\"\xC3\xA9\"}");
}

TEST(Json, EveryMistakeHasItsMessage) {
  struct Row {
    std::string text;
    std::string message;
  };
  const Row rows[] = {
      {"", "not JSON, at byte 1"},
      {"{", "not JSON, at byte 2"},
      {"{\"a\": 1} {", "not JSON, at byte 10"},
      {"{'a': 1}", "not JSON, at byte 2"},
      {"[1,]", "not JSON, at byte 4"},
      {"nul", "not JSON, at byte 4"},
      {"\"\x80\"", "not JSON, at byte 2"},
      {"\"\xED\xA0\x80\"", "not JSON, at byte 3"},
      {std::string("\"a\0b\"", 5), "not JSON, at byte 3"},
      {"1e999", "a number is out of range"},
      {R"({"a": 1, "b": {"c": 1, "c": 2}})", "the name 'c' stands twice in one object"},
      {R"({"a": {"x": 1}, "a": 2})", "the name 'a' stands twice in one object"},
      {std::string(33, '[') + std::string(33, ']'), "nested deeper than 32 levels"},
      {std::string(500'000, '['), "nested deeper than 32 levels"},
      {std::string(500'000, '{'), "nested deeper than 32 levels"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text.substr(0, 60));
    auto json = parse_json(row.text);
    ASSERT_FALSE(json);
    EXPECT_EQ(json.error().message, row.message);
  }
}

TEST(Json, ANameMayStandInSeveralObjects) {
  EXPECT_TRUE(parse_json(R"([{"a": {"a": 1}}, {"a": 2}, {"b": {"a": 1}, "c": {"a": 1}}])"));
}

TEST(Json, BracketsInStringsAreNoLevels) {
  EXPECT_TRUE(parse_json("\"" + std::string(100, '[') + "\\\"[\""));
}

TEST(Json, WhatIsNoUtf8IsReplacedWhenWritten) {
  EXPECT_EQ(to_text(Json("a\xFF")), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace lb
