// SPDX-License-Identifier: MIT
#include "pool/reported_load.h"

#include <algorithm>
#include <cmath>

namespace lb {

namespace {

constexpr double kSteps = 65'534 / LoadReport::kMostLoad;
// One pause, however long, says only so much of what is usual.
constexpr int64_t kMostGrowth = 4;
constexpr int64_t kGuess_ms = 1'000;

uint64_t pack(const std::optional<double>& figure) {
  return figure ? 1 + static_cast<uint64_t>(std::lround(*figure * kSteps)) : 0;
}

std::optional<double> unpack(uint64_t bits) {
  uint64_t step = bits & 0xffff;
  if (step == 0) return {};
  return static_cast<double>(step - 1) / kSteps;
}

uint64_t pack(const LoadReport& report) {
  return pack(report.cpu) | pack(report.memory) << 16 | pack(report.network) << 32;
}

std::optional<double> figure_of(const LoadReport& report, LoadMetric metric) {
  switch (metric) {
    case LoadMetric::max:
      return report.usual();
    case LoadMetric::cpu:
      return report.cpu;
    case LoadMetric::memory:
      return report.memory;
    case LoadMetric::network:
      return report.network;
  }
  return {};
}

}  // namespace

void ReportedLoad::note(const LoadReport& report, int64_t now_ms,
                        std::chrono::milliseconds usual_at_most) {
  uint64_t figures = pack(report);
  int64_t before_ms = reported_ms_.load(std::memory_order_relaxed);
  at_most_ms_.store(usual_at_most.count(), std::memory_order_relaxed);
  if (before_ms != 0) {
    int64_t pause_ms = now_ms - before_ms;
    int64_t usual = usual_ms();
    if (figures == figures_.load(std::memory_order_relaxed) && pause_ms < usual) return;
    bool is_first_pause = usual_ms_.load(std::memory_order_relaxed) == 0;
    pause_ms = std::min(pause_ms, kMostGrowth * usual);
    if (!is_first_pause) pause_ms = usual + (pause_ms - usual) / 4;
    usual_ms_.store(std::max(pause_ms, int64_t{1}), std::memory_order_relaxed);
  }
  figures_.store(figures, std::memory_order_relaxed);
  reported_ms_.store(std::max(now_ms, int64_t{1}), std::memory_order_relaxed);
  // What is open now is in the report's figures. The number skips 0, which stands for no ticket.
  uint64_t work = work_.load(std::memory_order_relaxed);
  uint64_t next = 0;
  do {
    uint64_t number = (work >> 32) + 1;
    if (number > UINT32_MAX) number = 1;
    next = number << 32;
  } while (!work_.compare_exchange_weak(work, next, std::memory_order_relaxed));
}

int64_t ReportedLoad::usual_ms() const {
  int64_t usual = usual_ms_.load(std::memory_order_relaxed);
  int64_t at_most = std::min(at_most_ms_.load(std::memory_order_relaxed), kLongest_ms);
  // After a single report nothing is known but the bound, if there is one.
  if (usual == 0) usual = at_most < kLongest_ms ? at_most : kGuess_ms;
  return std::max(std::min(usual, at_most), kShortest_ms);
}

LoadReport ReportedLoad::report() const {
  uint64_t figures = figures_.load(std::memory_order_relaxed);
  return {
      .cpu = unpack(figures), .memory = unpack(figures >> 16), .network = unpack(figures >> 32)};
}

ReportedLoad::View ReportedLoad::view(LoadMetric metric, int64_t now_ms) const {
  int64_t reported_ms = reported_ms_.load(std::memory_order_relaxed);
  if (reported_ms == 0) return {};
  auto figure = figure_of(report(), metric);
  if (!figure) return {};
  auto age_ms = static_cast<double>(std::max<int64_t>(0, now_ms - reported_ms));
  auto forgotten_ms = static_cast<double>(kPausesToForget * usual_ms());
  return {*figure, std::max(0.0, 1 - age_ms / forgotten_ms)};
}

uint32_t ReportedLoad::begin_work() {
  if (!is_known()) return 0;
  return static_cast<uint32_t>(work_.fetch_add(1, std::memory_order_relaxed) >> 32);
}

void ReportedLoad::end_work(uint32_t ticket) {
  if (ticket == 0) return;
  uint64_t work = work_.load(std::memory_order_relaxed);
  while (work >> 32 == ticket && static_cast<uint32_t>(work) > 0) {
    if (work_.compare_exchange_weak(work, work - 1, std::memory_order_relaxed)) return;
  }
}

}  // namespace lb
