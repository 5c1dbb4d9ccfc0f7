// SPDX-License-Identifier: MIT
#include "pool/latency.h"

#include <gtest/gtest.h>

#include <atomic>

#include "servers.h"

namespace lb {
namespace {

TEST(Latency, IsZeroUntilTheFirstSampleWhichItTakesWhole) {
  Latency latency;
  EXPECT_EQ(latency.average_us(1'000), 0U);
  latency.record(700, 1'000);
  EXPECT_EQ(latency.average_us(1'000), 700U);
}

TEST(Latency, RisesHalfTheWayAndFallsAQuarter) {
  Latency latency;
  latency.record(1'000, 0);
  latency.record(3'000, 0);
  EXPECT_EQ(latency.average_us(0), 2'000U);
  latency.record(1'000, 0);
  EXPECT_EQ(latency.average_us(0), 1'750U);
}

TEST(Latency, FadesWithTheTimeWithoutSamplesButStaysAboveZero) {
  Latency latency;
  latency.record(10'000, 0);
  EXPECT_NEAR(latency.average_us(Latency::kDecayMs), 10'000 * 0.3679, 5);
  EXPECT_NEAR(latency.average_us(2 * Latency::kDecayMs), 10'000 * 0.1353, 5);
  EXPECT_EQ(latency.average_us(1'000'000), 1U);
}

TEST(Latency, ALateSampleCountsForMoreThanAQuarter) {
  Latency latency;
  latency.record(10'000, 0);
  latency.record(2'000, Latency::kDecayMs);
  EXPECT_NEAR(latency.average_us(Latency::kDecayMs), 2'000 + 8'000 * 0.3679, 5);
}

TEST(Latency, ASampleOfZeroStillCountsAsASample) {
  Latency latency;
  latency.record(0, 5);
  EXPECT_EQ(latency.average_us(5), 1U);
}

TEST(Latency, TheWidestSampleDoesNotOverflow) {
  Latency latency;
  latency.record(1, 0);
  for (int i = 0; i < 64; ++i) latency.record(UINT32_MAX, 0);
  EXPECT_GT(latency.average_us(0), UINT32_MAX - 2);
}

TEST(Latency, AStampInTheFutureOfAnotherWorkerIsNoAge) {
  Latency latency;
  latency.record(5'000, 10'050);
  EXPECT_EQ(latency.average_us(10'000), 5'000U);
}

TEST(Latency, SurvivesTheWrapOfTheStamp) {
  Latency latency;
  int64_t wrap = int64_t{1} << 32;
  latency.record(8'000, wrap - 100);
  EXPECT_NEAR(latency.average_us(wrap + 100), 8'000 * 0.961, 5);
  EXPECT_EQ(latency.average_us(wrap + wrap / 2), 1U);
}

TEST(Latency, StaysWithinItsSamplesUnderContention) {
  Latency latency;
  std::atomic<bool> outside{false};
  run_threads(4, [&](int thread) {
    Numbers numbers(static_cast<uint64_t>(thread));
    for (int i = 0; i < 20'000; ++i) {
      latency.record(static_cast<uint32_t>(1'000 + numbers.next() % 1'000), 7);
      uint32_t average = latency.average_us(7);
      if (average < 1'000 || average > 2'000) outside = true;
    }
  });
  EXPECT_FALSE(outside);
}

}  // namespace
}  // namespace lb
