// SPDX-License-Identifier: MIT
#include "l7/sticky_cookies.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "pool/load_table.h"

namespace lb {
namespace {

constexpr int64_t kNow_ms = 1'700'000'000'000;
constexpr int64_t kTtl_ms = 3'600'000;

class StickyCookiesTest : public testing::Test {
 protected:
  StickyCookiesTest() {
    pool_.name = "app";
    pool_.sticky = StickyConfig{.by = StickyBy::cookie, .cookie = "lb_server"};
    for (const char* address : {"10.0.0.1:80", "10.0.0.2:80", "[2001:db8::1]:80"}) {
      servers_.push_back(
          std::make_unique<Server>("app", address, *Address::parse(address), load_, 1));
      members_.push_back({.server = servers_.back().get()});
    }
  }

  StickyCookies cookies(const std::vector<std::string>& keys = {"a key"}) {
    return {pool_, members_, keys};
  }
  // What a client sends back.
  static std::string value(const std::string& field) {
    size_t begin = field.find('=') + 1;
    return field.substr(begin, field.find(';') - begin);
  }
  std::string written(const StickyCookies& cookies, size_t server = 0) {
    return value(cookies.write(servers_[server]->number(), kNow_ms, false));
  }

  PoolConfig pool_;
  LoadTable load_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<Member> members_;
};

TEST_F(StickyCookiesTest, BringAClientBackToItsServer) {
  StickyCookies own = cookies();
  for (const auto& server : servers_) {
    std::string field = own.write(server->number(), kNow_ms, false);
    EXPECT_TRUE(field.starts_with("lb_server="));
    EXPECT_TRUE(field.ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    auto content = own.read(value(field), kNow_ms);
    ASSERT_TRUE(content);
    EXPECT_EQ(content->server, server->number());
    EXPECT_FALSE(content->is_old);
  }
  EXPECT_TRUE(own.write(servers_[0]->number(), kNow_ms, true).ends_with("; SameSite=Lax; Secure"));
}

TEST_F(StickyCookiesTest, AreGoodForNothingOnceTouched) {
  StickyCookies own = cookies();
  std::string good = written(own);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(own.read(bad, kNow_ms)) << i;
    EXPECT_FALSE(own.read(good.substr(0, i), kNow_ms)) << i;
  }
  EXPECT_FALSE(own.read(good + "A", kNow_ms));
  EXPECT_FALSE(own.read("", kNow_ms));
}

TEST_F(StickyCookiesTest, AreOfOnePoolAndOneKey) {
  std::string good = written(cookies());
  EXPECT_FALSE(cookies({"another key"}).read(good, kNow_ms));
  pool_.name = "another";
  EXPECT_FALSE(cookies().read(good, kNow_ms));
}

TEST_F(StickyCookiesTest, AnOlderKeyReadsOnAndItsCookiesAreWrittenAnew) {
  std::string old = written(cookies({"old"}), 1);
  auto content = cookies({"new", "old"}).read(old, kNow_ms);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->server, servers_[1]->number());
  EXPECT_TRUE(content->is_old);
  EXPECT_FALSE(cookies({"new"}).read(old, kNow_ms));
}

TEST_F(StickyCookiesTest, LastForTheirTimeSinceTheLastUse) {
  StickyCookies own = cookies();
  std::string good = written(own);
  EXPECT_FALSE(own.read(good, kNow_ms + kTtl_ms / 8 - 1)->is_old);
  EXPECT_TRUE(own.read(good, kNow_ms + kTtl_ms / 8)->is_old);
  EXPECT_TRUE(own.read(good, kNow_ms + kTtl_ms));
  EXPECT_FALSE(own.read(good, kNow_ms + kTtl_ms + kTtl_ms / 8));
  EXPECT_FALSE(own.read(good, kNow_ms - 5'000)->is_old) << "another balancer's clock is ahead";
}

TEST_F(StickyCookiesTest, KnowThatAServerIsGone) {
  std::string good = written(cookies(), 1);
  members_.erase(members_.begin() + 1);
  auto content = cookies().read(good, kNow_ms);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->server, StickyCookies::kGone);
  EXPECT_EQ(cookies().write(servers_[1]->number(), kNow_ms, false), "");
}

TEST_F(StickyCookiesTest, AreUnderstoodByAnotherBalancerWithTheKey) {
  std::string good = written(cookies());
  LoadTable load;
  Server same("app", "another name", servers_[0]->address(), load, 1);
  std::vector<Member> members = {{.server = &same}};
  auto content = StickyCookies(pool_, members, {"a key"}).read(good, kNow_ms);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->server, same.number());
}

TEST_F(StickyCookiesTest, AreMadeAnewOnlyWhenSomethingChanged) {
  StickyCookies own = cookies();
  EXPECT_TRUE(own.is_of(pool_, members_, {"a key"}));
  EXPECT_FALSE(own.is_of(pool_, members_, {"another"}));
  pool_.sticky->cookie = "other";
  EXPECT_FALSE(own.is_of(pool_, members_, {"a key"}));
  pool_.sticky->cookie = "lb_server";
  members_.pop_back();
  EXPECT_FALSE(own.is_of(pool_, members_, {"a key"}));
}

}  // namespace
}  // namespace lb
