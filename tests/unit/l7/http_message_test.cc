// SPDX-License-Identifier: MIT
#include "l7/http_message.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

RequestHead a_head(std::string& bytes) {
  RequestHead head;
  head.method_name = std::string_view(bytes).substr(0, 3);
  head.path = std::string_view(bytes).substr(3, 2);
  head.fields.push_back({std::string_view(bytes).substr(5, 1), std::string_view(bytes).substr(6)});
  return head;
}

TEST(KeptRequest, OutlastsTheBytesThatItWasMadeOf) {
  std::string bytes = "GET/anvalue";
  KeptRequest request;
  request.assign(a_head(bytes));
  bytes.assign(bytes.size(), '?');
  EXPECT_EQ(request.head.method_name, "GET");
  EXPECT_EQ(request.head.path, "/a");
  EXPECT_EQ(request.head.fields.at(0).name, "n");
  EXPECT_EQ(request.head.fields.at(0).value, "value");
}

TEST(KeptRequest, IsEmptyAfterClearWhateverItHeld) {
  KeptRequest request;
  for (size_t size : {10, 3'000, 100'000, 10}) {
    std::string bytes = "GET/an" + std::string(size, 'v');
    request.assign(a_head(bytes));
    for (int i = 0; i < 100; ++i) request.head.fields.push_back({"a", request.keep("b")});
    EXPECT_EQ(request.head.fields.at(0).value.size(), size);
    request.clear();
    EXPECT_TRUE(request.head.fields.empty());
    EXPECT_LE(request.head.fields.capacity(), 64u);
    EXPECT_EQ(request.head.path, "");
    EXPECT_EQ(request.head.find(FieldId::host), nullptr);
  }
}

TEST(FieldId, IsFoundWhateverTheCase) {
  EXPECT_EQ(field_id("Content-Length"), FieldId::content_length);
  EXPECT_EQ(field_id("HOST"), FieldId::host);
  EXPECT_EQ(field_id("x-forwarded-prefix"), FieldId::x_forwarded_other);
  EXPECT_EQ(field_id("x-forwarded-prefixx"), FieldId::other);
  EXPECT_EQ(field_id("hosts"), FieldId::other);
  EXPECT_EQ(field_id(""), FieldId::other);
}

}  // namespace
}  // namespace lb
