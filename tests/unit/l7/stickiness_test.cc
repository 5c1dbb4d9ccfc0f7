// SPDX-License-Identifier: MIT
#include "l7/stickiness.h"

#include <gtest/gtest.h>

#include "common/hash.h"
#include "pool/source_key.h"

namespace lb {
namespace {

TEST(StickyKey, OfAHeaderIsItsValueAlone) {
  StickyConfig sticky{.by = StickyBy::header, .header = "X-Session"};
  Address here = *Address::parse("10.1.2.3:4000");
  Address there = *Address::parse("10.9.9.9:4000");
  RequestHead head;
  EXPECT_FALSE(sticky_key(sticky, head, here)) << "without one nobody is known";
  head.fields.push_back({"x-session", ""});
  EXPECT_FALSE(sticky_key(sticky, head, here));
  head.fields[0].value = "ada";
  auto ada = sticky_key(sticky, head, here);
  ASSERT_TRUE(ada);
  EXPECT_EQ(ada->hash, hash64("ada")) << "the same on every machine";
  EXPECT_EQ(sticky_key(sticky, head, there)->hash, ada->hash);
  head.fields[0].value = "bob";
  EXPECT_NE(sticky_key(sticky, head, here)->hash, ada->hash);
}

TEST(StickyKey, OfASessionIsTheApplicationsCookie) {
  StickyConfig sticky{.by = StickyBy::cookie, .cookie = "sessionId", .learns = true};
  RequestHead head;
  EXPECT_FALSE(sticky_key(sticky, head, {}));
  head.fields.push_back({"Cookie", "a=b; sessionId=ada", FieldId::cookie});
  ASSERT_TRUE(sticky_key(sticky, head, {}));
  EXPECT_EQ(sticky_key(sticky, head, {})->hash, session_key("ada").hash);
  sticky.learns = false;
  EXPECT_FALSE(sticky_key(sticky, head, {})) << "what lb gives says itself where to go";
}

TEST(StickyKey, OfASourceIsItsAddress) {
  StickyConfig sticky{.by = StickyBy::source_ip};
  Address client = *Address::parse("10.1.2.3:4000");
  EXPECT_EQ(sticky_key(sticky, {}, client)->hash, source_ip_key(client));
}

}  // namespace
}  // namespace lb
