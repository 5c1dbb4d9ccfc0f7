// SPDX-License-Identifier: MIT
#include "l7/request_limits.h"

#include <gtest/gtest.h>

#include "exchange_rig.h"
#include "pool/source_key.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

constexpr Rate kTwoAMinute{1, milliseconds(60'000), 2};

class RequestLimitsTest : public ExchangeTest {
 protected:
  RequestLimitsTest() {
    route().pools.clear();
    route().respond = HttpRespond{200, "hello", {}};
  }
  int ask(std::vector<Field> fields = {}) {
    begin({.fields = std::move(fields)});
    EXPECT_TRUE(client_.done);
    return client_.status;
  }
  int ask_with_key(std::string_view key) { return ask({{"x-api-key", key, FieldId::other}}); }
};

TEST_F(RequestLimitsTest, WhoAsksTooOftenIsToldWhenToComeBack) {
  listener_->http.limits.request_rate_per_source = kTwoAMinute;
  EXPECT_EQ(ask(), 200);
  EXPECT_EQ(ask(), 200);
  EXPECT_EQ(ask(), 429);
  EXPECT_EQ(client_.body, R"({"error": "Too many requests"})");
  size_t at = client_.fields.find("Retry-After: ");
  ASSERT_NE(at, std::string::npos) << client_.fields;
  int seconds = std::stoi(client_.fields.substr(at + 13));
  EXPECT_GE(seconds, 1);
  EXPECT_LE(seconds, 60);
}

TEST_F(RequestLimitsTest, EachValueOfAHeaderHasItsOwnRateAndWithoutItTheSourceHas) {
  route().limit = RequestLimit{kTwoAMinute, RequestLimit::By::header, "X-Api-Key"};
  for (std::string_view key : {"a", "b", ""}) {
    EXPECT_EQ(ask_with_key(key), 200);
    EXPECT_EQ(ask_with_key(key), 200);
    EXPECT_EQ(ask_with_key(key), 429) << key;
  }
  EXPECT_EQ(ask(), 429) << "an empty one is none";
}

TEST_F(RequestLimitsTest, ARequestCountsForTheListenerFirst) {
  listener_->http.limits.request_rate_per_source = kTwoAMinute;
  route().limit = RequestLimit{{1, milliseconds(60'000), 1}, RequestLimit::By::source, ""};
  EXPECT_EQ(ask(), 200);
  EXPECT_EQ(ask(), 429) << "the route's";
  EXPECT_EQ(ask(), 429) << "the listener's";
}

TEST(RequestLimits, ATableOutlivesAReloadThatKeepsWhatItIsFor) {
  HttpListenerConfig config;
  config.routes.resize(2);
  config.routes[0].match.methods = {"PUT"};
  config.routes[1].limit = RequestLimit{kTwoAMinute, RequestLimit::By::source, ""};
  config.limits.request_rate_per_source = kTwoAMinute;
  std::vector<RouteClients> clients(2);
  auto before = make_request_limits(config, clients, nullptr, nullptr);
  EXPECT_FALSE(before.by_route[0].rates);
  for (auto* rates : {before.by_source.get(), before.by_route[1].rates.get()}) {
    EXPECT_TRUE(rates->take(1, 1'000'000));
    EXPECT_TRUE(rates->take(1, 1'000'000));
    EXPECT_FALSE(rates->take(1, 1'000'000));
  }
  HttpListenerConfig next = config;
  std::swap(next.routes[0], next.routes[1]);
  next.routes[0].limit->rate = {1, milliseconds(30'000), 2};
  auto after = make_request_limits(next, clients, &before, &config.routes);
  EXPECT_EQ(after.by_source, before.by_source);
  EXPECT_EQ(after.by_route[0].rates, before.by_route[1].rates);
  EXPECT_FALSE(after.by_route[1].rates);
  next.routes[0].limit->by = RequestLimit::By::header;
  next.limits.request_rate_per_source.reset();
  after = make_request_limits(next, clients, &before, &config.routes);
  EXPECT_FALSE(after.by_source);
  EXPECT_NE(after.by_route[0].rates, before.by_route[1].rates);
}

TEST(RequestLimits, WhatCountsByAClaimIsItsValueElseTheSource) {
  RequestLimit limit{kTwoAMinute, RequestLimit::By::claim, "sub"};
  Address source = *Address::parse("192.0.2.1:1");
  RequestHead head;
  VerifiedToken token;
  token.add_claim("");
  token.add_claim("ann");
  uint64_t of_source = source_ip_key(source);
  EXPECT_EQ(limit_key(limit, 1, head, nullptr, source), of_source);
  EXPECT_EQ(limit_key(limit, 0, head, &token, source), of_source);
  EXPECT_EQ(limit_key(limit, SIZE_MAX, head, &token, source), of_source);
  uint64_t ann = limit_key(limit, 1, head, &token, source);
  EXPECT_NE(ann, of_source);
  token.add_claim("bob");
  EXPECT_NE(limit_key(limit, 2, head, &token, source), ann);
}

}  // namespace
}  // namespace lb
