// SPDX-License-Identifier: MIT
#include "pool/client_limits.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace lb {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kStart_us = 1'000'000'000;

Address client(const char* text) {
  return *Address::parse(text);
}

TEST(ClientLimits, WithoutAnyNobodyIsRefused) {
  ClientLimits limits;
  Address one = client("10.0.0.1:1");
  std::vector<SourcePlace> places;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(limits.refuses(one, kStart_us));
    auto place = SourcePlace::take(limits, one);
    ASSERT_TRUE(place);
    places.push_back(std::move(*place));
  }
}

TEST(ClientLimits, ASourcesOwnLimitsComeFirst) {
  ClientLimits limits;
  limits.set({.connections_per_source = {},
              .rate = Rate{10, milliseconds(1'000), 10},
              .rate_per_source = Rate{5, milliseconds(1'000), 5}});
  Address greedy = client("10.0.0.1:1");
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limits.refuses(greedy, kStart_us));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(limits.refuses(greedy, kStart_us), CloseReason::source_over_rate);
  }
  Address other = client("10.0.0.2:1");
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limits.refuses(other, kStart_us));
  EXPECT_EQ(limits.refuses(client("10.0.0.3:1"), kStart_us), CloseReason::over_rate);
  EXPECT_FALSE(limits.refuses(other, kStart_us + 1'000'000));
}

TEST(ClientLimits, TheAddressesOfOneIpv6NetworkAreOneSource) {
  ClientLimits limits;
  limits.set({.connections_per_source = 1, .rate = {}, .rate_per_source = {}});
  auto place = SourcePlace::take(limits, client("[2001:db8::1]:1"));
  EXPECT_TRUE(place);
  EXPECT_FALSE(SourcePlace::take(limits, client("[2001:db8::2]:1")));
  EXPECT_TRUE(SourcePlace::take(limits, client("[2001:db8:0:1::1]:1")));
}

TEST(ClientLimits, APlaceIsGivenBackOnceWhereverItWent) {
  ClientLimits limits;
  limits.set({.connections_per_source = 1, .rate = {}, .rate_per_source = {}});
  Address one = client("10.0.0.1:1");
  SourcePlace kept;
  {
    auto place = SourcePlace::take(limits, one);
    ASSERT_TRUE(place);
    kept = std::move(*place);
  }
  EXPECT_EQ(limits.refuses(one, kStart_us), CloseReason::source_full);
  EXPECT_FALSE(SourcePlace::take(limits, one));
  kept = SourcePlace();
  EXPECT_FALSE(limits.refuses(one, kStart_us));
  EXPECT_TRUE(SourcePlace::take(limits, one));
}

TEST(ClientLimits, WhoCameWhileThereWasNoLimitCountsWhenItIsTold) {
  ClientLimits limits;
  Address one = client("10.0.0.1:1");
  std::optional<SourcePlace> before[] = {SourcePlace::take(limits, one),
                                         SourcePlace::take(limits, one)};
  limits.set({.connections_per_source = 1, .rate = {}, .rate_per_source = {}});
  for (auto& place : before) {
    place->count();
    place->count();  // once
  }
  before[0].reset();
  EXPECT_FALSE(SourcePlace::take(limits, one)) << "the other is there still";
  before[1].reset();
  EXPECT_TRUE(SourcePlace::take(limits, one));
  SourcePlace nobody;
  nobody.count();
}

TEST(ClientLimits, WhoCameWhileThereWasNoLimitDoesNotCountUntilThen) {
  ClientLimits limits;
  Address one = client("10.0.0.1:1");
  auto before = SourcePlace::take(limits, one);
  limits.set({.connections_per_source = 1, .rate = {}, .rate_per_source = {}});
  auto counted = SourcePlace::take(limits, one);
  ASSERT_TRUE(counted);
  before.reset();
  EXPECT_FALSE(SourcePlace::take(limits, one)) << "its end gave nothing back";
}

}  // namespace
}  // namespace lb
