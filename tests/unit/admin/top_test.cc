// SPDX-License-Identifier: MIT
#include "admin/top.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lb::admin {
namespace {

using testing::HasSubstr;

TopSample sample(int64_t at_ms, uint64_t requests) {
  return {{{"uptime", "0d 1h 2m"},
           {"activeConnections", 12'345},
           {"requestsPerSecond", 950.4},
           {"averageResponseTime", nullptr},
           {"activeServers", 1},
           {"unhealthyServers", 0},
           {"listeners",
            {{"web",
              {{"activeConnections", 7},
               {"totalRequests", requests},
               {"bytesIn", requests * 1'000},
               {"bytesOut", 0}}}}}},
          Json::array({{{"serverId", "1"},
                        {"pool", "app"},
                        {"name", "a"},
                        {"status", "healthy"},
                        {"weight", 3},
                        {"activeConnections", 4},
                        {"totalRequests", requests},
                        {"failures", 0},
                        {"latency", {{"p50", 1.25}, {"p99", nullptr}}}}}),
          at_ms};
}

TEST(Top, ShowsWhatHappensASecond) {
  EXPECT_EQ(top_screen(sample(3'000, 5'100), sample(1'000, 100), 100, 200),
            "lb, up 0d 1h 2m   12.3k open   950 requests/s   - ms   1 servers usable, 0 unhealthy\n"
            "\n"
            "LISTENER  OPEN  REQ/S  IN B/S  OUT B/S\n"
            "web          7   2.5k    2.5M        0\n"
            "\n"
            "SERVER  STATUS   WEIGHT  OPEN  REQ/S  FAIL/S  P50 MS  P99 MS\n"
            "app/a   healthy       3     4   2.5k       0     1.2       -\n");
}

TEST(Top, FitsTheScreen) {
  std::string screen = top_screen(sample(3'000, 5'100), sample(1'000, 100), 4, 10);
  EXPECT_EQ(screen, "lb, up 0d \n\nLISTENER  \nweb       \n");
}

TEST(Top, TakesWhateverTheOtherSideSays) {
  TopSample strange{{{"listeners", {{"web", 1}}}}, Json::array({1, "a", nullptr}), 0};
  EXPECT_THAT(top_screen(strange, {}, 100, 100), HasSubstr("web"));
  EXPECT_THAT(top_screen({}, {}, 100, 100), HasSubstr("lb, up -"));
}

TEST(Top, AfterARestartFiguresBeginAnew) {
  EXPECT_THAT(top_screen(sample(3'000, 5), sample(1'000, 100), 100, 100),
              HasSubstr("web          7      0"));
}

}  // namespace
}  // namespace lb::admin
