// SPDX-License-Identifier: MIT
#include "pool/reported_load.h"

#include <gtest/gtest.h>

#include "servers.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCheckInterval{2'000};
constexpr double kStep = 1.0 / 6'000;  // what figures are kept to

double load_of(const ReportedLoad& reported, LoadMetric metric, int64_t now_ms) {
  auto view = reported.view(metric, now_ms);
  return view.freshness > 0 ? view.load : -1;
}

TEST(ReportedLoad, SaysNothingBeforeTheFirstReport) {
  ReportedLoad reported;
  EXPECT_FALSE(reported.is_known());
  EXPECT_EQ(reported.view(LoadMetric::max, 1'000).freshness, 0);
  EXPECT_TRUE(reported.report().empty());
}

TEST(ReportedLoad, KeepsTheFiguresThatWereReported) {
  ReportedLoad reported;
  reported.note({.cpu = 0.31, .memory = 10, .network = 0}, 1'000, kCheckInterval);
  EXPECT_NEAR(load_of(reported, LoadMetric::cpu, 1'000), 0.31, kStep);
  EXPECT_NEAR(load_of(reported, LoadMetric::memory, 1'000), 10, kStep);
  EXPECT_NEAR(load_of(reported, LoadMetric::network, 1'000), 0, kStep);
  EXPECT_NEAR(load_of(reported, LoadMetric::max, 1'000), 0.31, kStep) << "memory only when named";
  reported.note({.memory = 0.5}, 2'000, kCheckInterval);
  EXPECT_EQ(load_of(reported, LoadMetric::cpu, 2'000), -1) << "it reports none any more";
  EXPECT_EQ(load_of(reported, LoadMetric::max, 2'000), -1);
}

TEST(ReportedLoad, FadesWithinThreeUsualPauses) {
  ReportedLoad reported;
  for (int64_t at_ms : {1'000, 3'000, 5'000}) reported.note({.cpu = 0.5}, at_ms);
  EXPECT_NEAR(reported.view(LoadMetric::cpu, 5'000).freshness, 1, 0.01);
  EXPECT_NEAR(reported.view(LoadMetric::cpu, 8'000).freshness, 0.5, 0.01);
  EXPECT_EQ(reported.view(LoadMetric::cpu, 11'000).freshness, 0);
}

TEST(ReportedLoad, TheIntervalOfChecksBoundsWhatIsUsual) {
  ReportedLoad reported;
  reported.note({.cpu = 0.5}, 1'000, kCheckInterval);
  EXPECT_NEAR(reported.view(LoadMetric::cpu, 4'000).freshness, 0.5, 0.01) << "after one report";
  reported.note({.cpu = 0.6}, 61'000, kCheckInterval);
  EXPECT_NEAR(reported.view(LoadMetric::cpu, 64'000).freshness, 0.5, 0.01) << "after a long pause";
}

TEST(ReportedLoad, OneLongPauseChangesLittleOfWhatIsUsual) {
  ReportedLoad reported;
  int64_t now_ms = 1'000;
  for (int i = 0; i < 20; ++i) reported.note({.cpu = i / 20.0}, now_ms += 1'000);
  reported.note({.cpu = 0.99}, now_ms += 600'000);
  EXPECT_EQ(reported.view(LoadMetric::cpu, now_ms + 6'000).freshness, 0);
}

TEST(ReportedLoad, AReportThatRepeatsTheLastIsNewsOnlyWhenOneIsDue) {
  ReportedLoad reported;
  reported.note({.cpu = 0.5}, 1'000, kCheckInterval);
  EXPECT_NE(reported.begin_work(), 0u);
  reported.note({.cpu = 0.5}, 1'001, kCheckInterval);
  EXPECT_EQ(reported.begun_since(), 1u);
  EXPECT_LT(reported.view(LoadMetric::cpu, 1'500).freshness, 1);
  reported.note({.cpu = 0.5}, 3'000, kCheckInterval);
  EXPECT_EQ(reported.begun_since(), 0u);
  EXPECT_EQ(reported.view(LoadMetric::cpu, 3'000).freshness, 1);
}

TEST(ReportedLoad, CountsOpenWorkSinceTheLastReport) {
  Servers servers = Servers::equal(1);
  Server& server = servers[0];
  server.active() = 3;
  Lease before(&server);
  EXPECT_EQ(server.reported.begun_since(), 0u) << "nobody has reported";
  server.reported.note({.cpu = 0.5}, 1'000);
  Lease first(&server);
  Lease second(&server);
  EXPECT_EQ(server.reported.begun_since(), 2u);
  before.reset();
  first.reset();
  EXPECT_EQ(server.reported.begun_since(), 1u) << "what began before does not count";
  server.reported.note({.cpu = 0.9}, 2'000);
  EXPECT_EQ(server.reported.begun_since(), 0u);
  second.reset();
  EXPECT_EQ(server.reported.begun_since(), 0u) << "the report has seen it";
}

TEST(ReportedLoad, WorkIsCountedExactlyByManyThreads) {
  ReportedLoad reported;
  reported.note({.cpu = 0.5}, 1'000);
  run_threads(4, [&](int thread) {
    for (int i = 0; i < 10'000; ++i) {
      uint32_t ticket = reported.begin_work();
      if (thread == 0 && i % 100 == 0) reported.note({.cpu = i / 10'000.0}, 1'000 + i);
      reported.end_work(ticket);
    }
  });
  EXPECT_EQ(reported.begun_since(), 0u);
}

}  // namespace
}  // namespace lb
