// SPDX-License-Identifier: MIT
#include "common/user.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace lb {
namespace {

TEST(User, IsFoundByName) {
  auto root = find_user("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->name, "root");
  EXPECT_EQ(root->uid, 0U);
  EXPECT_EQ(root->gid, 0U);
}

TEST(User, IsNamedWhereThereIsNone) {
  auto nobody = find_user("no-such-user");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().message, "this machine has no user 'no-such-user'");
}

TEST(User, ToBecomeWhoOneIsNeedsNothing) {
  EXPECT_TRUE(become({"me", geteuid(), getegid()}));
}

TEST(User, OnlyRootBecomesAnother) {
  if (geteuid() == 0) GTEST_SKIP() << "as root";
  auto became = become(*find_user("root"));
  ASSERT_FALSE(became);
  EXPECT_NE(became.error().message.find("only root can become"), std::string::npos);
}

}  // namespace
}  // namespace lb
