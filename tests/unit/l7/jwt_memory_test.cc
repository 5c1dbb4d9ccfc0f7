// SPDX-License-Identifier: MIT
#include "l7/jwt_memory.h"

#include <gtest/gtest.h>

#include <thread>

#include "jwt_signer.h"
#include "l7/route_clients.h"
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

std::optional<KnownToken> check(JwtMemory& memory, const JwtVerifier& verifier,
                                const std::string& token, int64_t now_s) {
  return memory.check(memory.seek(verifier, token), now_s);
}

TEST(JwtMemory, ASignatureIsCheckedOncePerToken) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  std::string ada = token("ada");
  for (int i = 0; i < 100; ++i) {
    auto known = check(memory, shop, ada, kNow_s);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->claim(0), "ada");
  }
  EXPECT_EQ(shop.tally()->valid(), 1u);
  EXPECT_TRUE(check(memory, shop, token("bob"), kNow_s));
  EXPECT_EQ(shop.tally()->valid(), 2u);
  EXPECT_EQ(memory.size(), 2u);
}

TEST(JwtMemory, WhatIsRefusedIsCountedByItsReason) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  std::string ada = token("ada", kNow_s + 10);
  check(memory, shop, ada, kNow_s);
  check(memory, shop, ada, kNow_s + 70);
  check(memory, shop, ada, kNow_s + 70);
  check(memory, shop, std::string(kMaxToken + 1, 'a'), kNow_s);
  EXPECT_EQ(shop.tally()->valid(), 1u);
  EXPECT_EQ(shop.tally()->refused(JwtRefusal::expired), 2u) << "remembered or not";
  EXPECT_EQ(shop.tally()->refused(JwtRefusal::too_long), 1u);
  EXPECT_EQ(shop.tally()->refused(JwtRefusal::signature), 0u);
}

TEST(JwtMemory, KeepsATokenNoLongerThanItIsValid) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  std::string ada = token("ada", kNow_s + 10);
  EXPECT_TRUE(check(memory, shop, ada, kNow_s));
  EXPECT_TRUE(check(memory, shop, ada, kNow_s + 69)) << "with the leeway of a minute";
  EXPECT_FALSE(check(memory, shop, ada, kNow_s + 70));
  EXPECT_EQ(memory.size(), 0u);
}

TEST(JwtMemory, WhatOneVerifierFoundValidIsNoneOfAnothers) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  JwtVerifier strict({.name = "shop", .algorithms = {JwtAlgorithm::hs256}, .issuer = "id"},
                     *JwtKeys::parse(JwtKeyFile::secret, std::string(32, 's')), {"sub"});
  EXPECT_TRUE(check(memory, shop, token("ada"), kNow_s));
  EXPECT_FALSE(check(memory, strict, token("ada"), kNow_s));
}

TEST(JwtMemory, HoldsNoMoreThanItMayAndNothingInvalid) {
  JwtMemory memory(128);
  JwtVerifier shop = verifier();
  for (int i = 0; i < 500; ++i) {
    check(memory, shop, token("user-" + std::to_string(i)), kNow_s);
    EXPECT_FALSE(check(memory, shop, token(std::to_string(i)) + "A", kNow_s));
  }
  EXPECT_LE(memory.size(), 128u);
  EXPECT_GE(memory.size(), 100u);
}

TEST(JwtMemory, GrowsAndForgetsNothing) {
  constexpr int kTokens = 10'000;
  JwtMemory memory;
  JwtVerifier shop = verifier();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kTokens; ++i) {
      auto known = check(memory, shop, token(std::to_string(i)), kNow_s);
      ASSERT_TRUE(known);
      EXPECT_EQ(known->claim(0), std::to_string(i));
    }
  }
  EXPECT_EQ(memory.size(), size_t{kTokens});
  EXPECT_EQ(shop.tally()->valid(), uint64_t{kTokens});
}

TEST(JwtMemory, WhatIsOverMakesRoom) {
  JwtMemory memory(64);
  JwtVerifier shop = verifier();
  for (int i = 0; i < 200; ++i) {
    check(memory, shop, token("old-" + std::to_string(i), kNow_s + 10), kNow_s);
  }
  EXPECT_EQ(memory.size(), 64u);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 32; ++i) {
      check(memory, shop, token("new-" + std::to_string(i)), kNow_s + 100);
    }
  }
  EXPECT_EQ(shop.tally()->valid(), 232u) << "each of the new ones once";
  EXPECT_EQ(memory.size(), 64u);
  for (int i = 0; i < 32; ++i) {
    check(memory, shop, token("new-" + std::to_string(i)), kNow_s + 1'000);
    check(memory, shop, token("newer-" + std::to_string(i), kNow_s + 9'000), kNow_s + 1'000);
  }
  EXPECT_LE(memory.size(), 64u);
  EXPECT_GE(memory.size(), 32u);
}

TEST(JwtMemory, WhatWasNotUsedForLongestGoes) {
  JwtMemory memory(64);
  JwtVerifier shop = verifier();
  auto ask = [&](const std::string& who, int count, int64_t now_s) {
    for (int i = 0; i < count; ++i) {
      check(memory, shop, token(who + std::to_string(i), kNow_s + 9'000), now_s);
    }
  };
  ask("seldom", 16, kNow_s);
  ask("often", 16, kNow_s);
  for (int64_t now_s = kNow_s + 100; now_s < kNow_s + 2'000; now_s += 100) {
    ask("often", 16, now_s);
    ask(std::to_string(now_s), 4, now_s);
  }
  EXPECT_EQ(memory.size(), 64u);
  EXPECT_EQ(shop.tally()->valid(), 32u + 19 * 4) << "who comes often was never forgotten";
}

TEST(JwtMemory, ThePlaceOfAUserIsKeptWithTheToken) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  auto ada = check(memory, shop, token("ada"), kNow_s);
  EXPECT_EQ(ada->place, StickyHint());
  StickyHint place{.table = 1, .version = 2, .server = 3, .until = 4};
  memory.note_place(ada->digest, place);
  memory.note_place({1, 2}, place);
  EXPECT_EQ(check(memory, shop, token("ada"), kNow_s)->place, place);
  EXPECT_EQ(check(memory, shop, token("bob"), kNow_s)->place, StickyHint());
  EXPECT_EQ(memory.size(), 2u) << "a place without a token is nobody's";
}

TEST(JwtMemory, ManyThreadsFillOneMemory) {
  JwtMemory memory;
  JwtVerifier shop = verifier();
  auto ask = [&](int thread) {
    for (int i = 0; i < 2'000; ++i) {
      std::string user = std::to_string(i % 2 == 0 ? i : i * 4 + thread);
      auto known = check(memory, shop, token(user), kNow_s);
      ASSERT_TRUE(known);
      EXPECT_EQ(known->claim(0), user);
      memory.note_place(known->digest, {.table = 1, .server = 7});
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) threads.emplace_back(ask, thread);
  }
  EXPECT_LE(memory.size(), 5'000u);
  EXPECT_GE(memory.size(), 4'000u);
}

TEST(TokenCheck, ATokenIsExpectedWhereEveryRequestIsAskedForIt) {
  auto shop = std::make_shared<const JwtVerifier>(verifier());
  auto other = std::make_shared<const JwtVerifier>(verifier());
  TokenSource bearer;
  TokenSource cookie{TokenSource::Kind::cookie, "session"};
  TokenRule by_bearer{shop, {bearer}};
  TokenRule by_both{shop, {bearer, cookie}};
  TokenRule by_cookie{shop, {cookie}};
  auto asks = [](const TokenRule& of_route, const TokenRule& of_pool) {
    return RouteClients{of_route, {{of_pool, 0, nullptr}}};
  };
  EXPECT_EQ(expected_token({asks(by_bearer, {})}).verifier, shop);
  EXPECT_EQ(expected_token({asks({}, by_cookie), asks(by_cookie, {})}).verifier, shop);
  EXPECT_EQ(expected_token({asks(by_bearer, {}), asks(by_both, by_cookie)}).verifier, shop);
  EXPECT_EQ(expected_token({asks(by_bearer, {}), asks({}, {})}).verifier, nullptr) << "one is open";
  EXPECT_EQ(expected_token({asks(by_bearer, {}), asks({}, by_cookie)}).verifier, nullptr);
  EXPECT_EQ(expected_token({asks(by_bearer, {}), asks({other, {bearer}}, {})}).verifier, nullptr);
  RouteClients redirects;
  EXPECT_EQ(expected_token({redirects, asks(by_bearer, {})}).verifier, shop);
  EXPECT_EQ(expected_token({redirects}).verifier, nullptr);
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
