// SPDX-License-Identifier: MIT
#include "app/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <climits>
#include <vector>

namespace lb {
namespace {

TEST(Descriptors, TooFewToStartAreToldWithWhatToDo) {
  EXPECT_TRUE(enough_descriptors(96, 2));
  auto too_few = enough_descriptors(95, 2);
  ASSERT_FALSE(too_few);
  EXPECT_EQ(too_few.error().message,
            "this process may open 95 descriptors, and 2 workers need 96 before the first client: "
            "raise its limit (ulimit -n, LimitNOFILE=)");
}

TEST(Descriptors, ArePlannedFromTheLimit) {
  struct Row {
    const char* what;
    uint64_t limit;
    size_t workers;
    size_t others;
    uint32_t wanted;
    uint32_t connections;
    size_t pipes;
  };
  const Row rows[] = {
      {"plenty", 1'048'576, 8, 100, 100'000, 100'000, 256},
      {"the usual limit of a service", 524'288, 4, 50, 100'000, 100'000, 256},
      {"just a few thousand", 20'000, 2, 0, 100'000, 9'440, 256},
      {"pipes get an eighth", 4'096, 2, 0, 100'000, 1'744, 128},
      {"the usual limit of a shell", 1'024, 2, 10, 100'000, 395, 32},
      {"many workers", 1'024, 64, 0, 100'000, 1, 1},
      {"hardly any", 64, 1, 0, 100'000, 1, 4},
      {"no more than wanted", 1'048'576, 1, 0, 7, 7, 256},
      {"more servers than descriptors", 1'024, 1, 5'000, 100, 1, 64},
  };
  for (const Row& row : rows) {
    auto plan = plan_descriptors(row.limit, row.workers, row.others, row.wanted);
    EXPECT_EQ(plan.limit, row.limit) << row.what;
    EXPECT_EQ(plan.max_connections, row.connections) << row.what;
    EXPECT_EQ(plan.pipes_per_worker, row.pipes) << row.what;
  }
}

TEST(Descriptors, TheLastAreReserved) {
  struct Row {
    uint64_t limit;
    size_t listening;
    int first;
  };
  const Row rows[] = {
      {1'024, 0, 992},     {1'024, 8, 984}, {1'048'576, 0, 1'048'544}, {96, 2, 62}, {60, 2, 30},
      {1'024, 5'000, 512}, {0, 0, 0},       {UINT64_MAX, 0, INT_MAX},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(first_reserved_descriptor(row.limit, row.listening), row.first) << row.limit;
  }
}

TEST(Descriptors, WhoWantsLittleGetsAllOfIt) {
  struct Row {
    const char* what;
    uint32_t connections;
    std::vector<uint32_t> sessions;
    uint32_t connections_planned;
    std::vector<uint32_t> sessions_planned;
  };
  // 19,000 for all of them.
  const Row rows[] = {
      {"enough", 1'000, {10'000}, 1'000, {10'000}},
      {"few connections", 1'000, {65'536}, 1'000, {17'000}},
      {"next to none", 3, {65'536}, 3, {18'994}},
      {"few sessions", 1'000, {65'536, 4}, 1'000, {16'996, 4}},
      {"many sessions everywhere", 1'000, {65'536, 65'536}, 1'000, {8'500, 8'500}},
      {"much of everything", 100'000, {65'536, 65'536, 100}, 3'150, {6'300, 6'300, 100}},
      {"no connections", 0, {65'536, 65'536}, 0, {9'500, 9'500}},
  };
  for (const Row& row : rows) {
    auto plan = plan_descriptors(19'592, 1, 0, row.connections, row.sessions);
    EXPECT_EQ(plan.max_connections, row.connections_planned) << row.what;
    EXPECT_EQ(plan.max_sessions, row.sessions_planned) << row.what;
  }
}

TEST(Descriptors, APlanNeverPromisesMoreThanThereAre) {
  for (uint64_t limit = 512; limit < 3'000'000; limit += limit / 3) {
    for (size_t workers : {1u, 2u, 8u}) {
      for (size_t others : {0u, 20u}) {
        auto plan = plan_descriptors(limit, workers, others, UINT32_MAX);
        EXPECT_LE(plan.max_connections * uint64_t{2} + plan.pipes_per_worker * workers * 2 + others,
                  limit);
        EXPECT_GT(plan.max_connections * uint64_t{2}, limit / 3) << "most are for connections";
      }
    }
  }
}

TEST(Descriptors, OneWarnsOfFewerConnectionsOnceUntilTheNumberMovesFar) {
  struct Row {
    const char* what;
    uint32_t wanted;
    uint32_t planned;
    bool news;
  };
  const Row rows[] = {
      {"enough", 1'000, 1'000, false},
      {"lowered", 1'000, 800, true},
      {"the same again", 1'000, 800, false},
      {"a server more", 1'000, 799, false},
      {"an eighth less than was told", 1'000, 700, false},
      {"more than that", 1'000, 699, true},
      {"an eighth more", 1'000, 786, false},
      {"more than that", 1'000, 787, true},
      {"enough again", 700, 700, false},
      {"lowered again", 1'000, 787, true},
      {"hardly any", 1'000, 1, true},
      {"and still", 1'000, 1, false},
  };
  LoweredConnections lowered;
  for (const Row& row : rows) {
    EXPECT_EQ(lowered.is_news(row.wanted, row.planned), row.news) << row.what;
  }
}

TEST(Descriptors, TheSoftLimitIsRaisedToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low{.rlim_cur = 256, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raise_descriptor_limit(), before.rlim_max);
  rlimit now{};
  getrlimit(RLIMIT_NOFILE, &now);
  EXPECT_EQ(now.rlim_cur, before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace lb
