// SPDX-License-Identifier: MIT
#include "pool/request_table.h"

#include <gtest/gtest.h>

#include <memory>

namespace lb {
namespace {

TEST(RequestTable, CountsByRouteServerAndStatus) {
  RequestTable one;
  RequestTable other;
  one.series("/a", "web", "s1", 200).requests.add(2);
  one.series("/a", "web", "s1", 200).requests.add();
  one.series("/a", "web", "s2", 200).requests.add();
  other.series("/a", "web", "s1", 200).requests.add(10);
  other.series("/a", "", "", 404).requests.add();
  one.route("/a").latency.record(1'000);
  other.route("/a").latency.record(2'000);
  RequestTable::Sum sum;
  one.add_to(sum);
  other.add_to(sum);
  EXPECT_EQ(sum.requests.size(), 3U);
  EXPECT_EQ((sum.requests[{"/a", "web", "s1", 200}]), 13U);
  EXPECT_EQ((sum.requests[{"/a", "", "", 404}]), 1U);
  EXPECT_EQ(sum.latency.at("/a").count(), 2U);
}

TEST(RequestTable, WhatIsTooMuchIsOther) {
  auto table = std::make_unique<RequestTable>();
  for (size_t i = 0; i < RequestTable::kMostSeries + 5; ++i) {
    table->series("/a", "web", "s" + std::to_string(i), 200).requests.add();
  }
  for (size_t i = 0; i < RequestTable::kMostRoutes + 5; ++i) {
    table->route("/" + std::to_string(i)).latency.record(1);
  }
  RequestTable::Sum sum;
  table->add_to(sum);
  EXPECT_EQ(sum.requests.size(), RequestTable::kMostSeries + 1);
  EXPECT_EQ((sum.requests[{"other", "", "", 200}]), 5U);
  EXPECT_EQ(sum.latency.size(), RequestTable::kMostRoutes + 1);
  EXPECT_EQ(sum.latency.at("other").count(), 5U);
  // Those that were there before are themselves still.
  table->series("/a", "web", "s0", 200).requests.add();
  RequestTable::Sum again;
  table->add_to(again);
  EXPECT_EQ((again.requests[{"/a", "web", "s0", 200}]), 2U);
}

}  // namespace
}  // namespace lb
