// SPDX-License-Identifier: MIT
#include "l7/jwt_memory.h"

#include <gtest/gtest.h>

#include "jwt_signer.h"
#include "l7/token_check.h"

namespace lb {
namespace {

constexpr int64_t kNow_s = 1'700'000'000;

JwtVerifier verifier() {
  return {{.name = "shop", .algorithms = {JwtAlgorithm::hs256}},
          *JwtKeys::parse(JwtKeyFile::secret, std::string(32, 's')),
          {"sub"}};
}

std::string token(const std::string& sub, int64_t exp_s = kNow_s + 600) {
  return JwtSigner::secret(std::string(32, 's'))
      .token(JwtAlgorithm::hs256,
             R"({"sub":")" + sub + R"(","exp":)" + std::to_string(exp_s) + "}");
}

TEST(JwtMemory, ASignatureIsCheckedOncePerToken) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  std::string ada = token("ada");
  for (int i = 0; i < 100; ++i) {
    auto known = memory.check(shop, ada, kNow_s);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->claim(0), "ada");
  }
  EXPECT_EQ(shop.tally()->valid(), 1u);
  EXPECT_TRUE(memory.check(shop, token("bob"), kNow_s));
  EXPECT_EQ(shop.tally()->valid(), 2u);
  EXPECT_EQ(memory.size(), 2u);
}

TEST(JwtMemory, WhatIsRefusedIsCountedByItsReason) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  std::string ada = token("ada", kNow_s + 10);
  memory.check(shop, ada, kNow_s);
  memory.check(shop, ada, kNow_s + 70);
  memory.check(shop, ada, kNow_s + 70);
  memory.check(shop, std::string(kMaxToken + 1, 'a'), kNow_s);
  EXPECT_EQ(shop.tally()->valid(), 1u);
  EXPECT_EQ(shop.tally()->refused(JwtRefusal::expired), 2u) << "remembered or not";
  EXPECT_EQ(shop.tally()->refused(JwtRefusal::too_long), 1u);
  EXPECT_EQ(shop.tally()->refused(JwtRefusal::signature), 0u);
}

TEST(JwtMemory, KeepsATokenNoLongerThanItIsValid) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  std::string ada = token("ada", kNow_s + 10);
  EXPECT_TRUE(memory.check(shop, ada, kNow_s));
  EXPECT_TRUE(memory.check(shop, ada, kNow_s + 69)) << "with the leeway of a minute";
  EXPECT_FALSE(memory.check(shop, ada, kNow_s + 70));
  EXPECT_EQ(memory.size(), 0u);
}

TEST(JwtMemory, WhatOneVerifierFoundValidIsNoneOfAnothers) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  JwtVerifier strict({.name = "shop", .algorithms = {JwtAlgorithm::hs256}, .issuer = "id"},
                     *JwtKeys::parse(JwtKeyFile::secret, std::string(32, 's')), {"sub"});
  EXPECT_TRUE(memory.check(shop, token("ada"), kNow_s));
  EXPECT_FALSE(memory.check(strict, token("ada"), kNow_s));
}

TEST(JwtMemory, HoldsNoMoreThanItMayAndNothingInvalid) {
  JwtMemory memory(128);
  JwtVerifier shop = verifier();
  for (int i = 0; i < 500; ++i) {
    memory.check(shop, token("user-" + std::to_string(i)), kNow_s);
    EXPECT_FALSE(memory.check(shop, token(std::to_string(i)) + "A", kNow_s));
  }
  EXPECT_LE(memory.size(), 128u);
  EXPECT_GE(memory.size(), 100u);
}

TEST(TokenCheck, FindsTheOneTokenThatIsMeant) {
  struct Row {
    TokenSource from;
    std::vector<Field> fields;
    std::optional<std::string_view> token;
  };
  TokenSource bearer;
  TokenSource cookie{TokenSource::Kind::cookie, "session"};
  TokenSource header{TokenSource::Kind::header, "X-Token"};
  auto field = [](std::string_view name, std::string_view value) {
    return Field{name, value, field_id(name)};
  };
  const Row rows[] = {
      {bearer, {}, {}},
      {bearer, {field("Authorization", "Bearer a.b.c")}, "a.b.c"},
      {bearer, {field("authorization", "bEARER  a.b.c")}, "a.b.c"},
      {bearer, {field("Authorization", "Bearer")}, {}},
      {bearer, {field("Authorization", "Bearer ")}, {}},
      {bearer, {field("Authorization", "Bearera.b.c")}, {}},
      {bearer, {field("Authorization", "Basic a.b.c")}, {}},
      {bearer, {field("Authorization", "Bearer a"), field("Authorization", "Bearer a")}, {}},
      {bearer, {field("Authorization", "Basic a"), field("Authorization", "Bearer a")}, {}},
      {cookie, {field("Cookie", "a=b; session=a.b.c; c=d")}, "a.b.c"},
      {cookie, {field("Cookie", "xsession=a; session2=b")}, {}},
      {cookie, {field("Cookie", "session=a; session=a")}, {}},
      {cookie, {field("Cookie", "session=a"), field("Cookie", "session=b")}, {}},
      {cookie, {field("Cookie", "session=")}, {}},
      {header, {field("x-token", "a.b.c")}, "a.b.c"},
      {header, {field("X-Token", "a"), field("X-Token", "b")}, {}},
  };
  for (const Row& row : rows) {
    RequestHead head;
    head.fields = row.fields;
    EXPECT_EQ(find_token(head, row.from), row.token)
        << (row.fields.empty() ? "" : row.fields[0].value);
  }
}

}  // namespace
}  // namespace lb
