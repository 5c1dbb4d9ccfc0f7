// SPDX-License-Identifier: MIT
#include "l7/cookies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lb {
namespace {

RequestHead with(std::vector<std::string_view> values) {
  RequestHead head;
  for (std::string_view value : values) head.fields.push_back({"Cookie", value, FieldId::cookie});
  return head;
}

TEST(Cookies, AreFoundByTheirWholeName) {
  EXPECT_EQ(first_cookie(with({"a=1; id=2; id=3"}), "id"), "2");
  EXPECT_EQ(first_cookie(with({"a=1", "b=2 ;  id=3 ; c=4"}), "id"), "3");
  EXPECT_EQ(first_cookie(with({"xid=1; idx=2; ID=3; id"}), "id"), "");
  EXPECT_EQ(first_cookie(with({"id=a=b"}), "id"), "a=b");
  EXPECT_EQ(only_cookie(with({"a=1; id=2"}), "id"), "2");
  EXPECT_FALSE(only_cookie(with({"id=2", "id=2"}), "id"));
  EXPECT_FALSE(only_cookie(with({"a=1"}), "id"));
}

TEST(Cookies, OfOneNameAreTakenOutAndTheOthersStay) {
  struct Row {
    std::vector<std::string_view> before;
    std::vector<std::string_view> after;
  };
  const Row rows[] = {
      {{"a=1; id=2; b=3"}, {"a=1; b=3"}}, {{"id=2"}, {}},
      {{"id=2; id=3", "c=4"}, {"c=4"}},   {{"idx=2; xid=id=3"}, {"idx=2; xid=id=3"}},
      {{"a=1;id=2;b=id"}, {"a=1; b=id"}}, {{"; ;id=; "}, {}},
  };
  for (const Row& row : rows) {
    KeptRequest request;
    request.assign(with(row.before));
    remove_cookies(request, "id");
    std::vector<std::string_view> after;
    for (const Field& field : request.head.fields) after.push_back(field.value);
    EXPECT_EQ(after, row.after) << row.before[0];
  }
}

TEST(Cookies, ThatAServerSetsAreReadWithTheirEnd) {
  constexpr int64_t kNow_s = 1'700'000'000;
  struct Row {
    const char* field;
    const char* name;
    const char* value;
    bool ends;
  };
  const Row rows[] = {
      {"id=abc", "id", "abc", false},
      {" id = abc ; Path=/; HttpOnly", "id", "abc", false},
      {"id=\"a b\"; Max-Age=60", "id", "\"a b\"", false},
      {"id=; Max-Age=0", "id", "", true},
      {"id=x; max-age=-1; Path=/", "id", "x", true},
      {"id=x; Max-Age=0x", "id", "x", false},
      {"id=x; Max-Age=", "id", "x", false},
      {"id=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "id", "x", true},
      {"id=x; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "id", "x", true},
      {"id=x; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "id", "x", false},
      {"id=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9", "id", "x", false},
      {"id=x; Expires=never", "id", "x", false},
      {"id", "id", "", false},
      {"", "", "", false},
  };
  for (const Row& row : rows) {
    SetCookie cookie = parse_set_cookie(row.field, kNow_s);
    EXPECT_EQ(cookie.name, row.name) << row.field;
    EXPECT_EQ(cookie.value, row.value) << row.field;
    EXPECT_EQ(cookie.ends, row.ends) << row.field;
  }
}

}  // namespace
}  // namespace lb
