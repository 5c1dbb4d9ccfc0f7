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

}  // namespace

void ReportedLoad::note(const LoadReport& report, int64_t now_ms,
                        std::chrono::milliseconds usual_at_most) {
  uint64_t figures = pack(report);
  int64_t before_ms = reported_ms_.load(std::memory_order_relaxed);
  LoadReport before = this->report();
  at_most_ms_.store(usual_at_most.count(), std::memory_order_relaxed);
  double pauses = 1;
  if (before_ms != 0) {
    int64_t pause_ms = now_ms - before_ms;
    int64_t usual = usual_ms();
    if (figures == figures_.load(std::memory_order_relaxed) && pause_ms < usual) return;
    pauses = static_cast<double>(std::max(pause_ms, int64_t{1})) / static_cast<double>(usual);
    bool is_first_pause = usual_ms_.load(std::memory_order_relaxed) == 0;
    pause_ms = std::min(pause_ms, kMostGrowth * usual);
    if (!is_first_pause) pause_ms = usual + (pause_ms - usual) / 4;
    usual_ms_.store(std::max(pause_ms, int64_t{1}), std::memory_order_relaxed);
  }
  figures_.store(figures, std::memory_order_relaxed);
  reported_ms_.store(std::max(now_ms, int64_t{1}), std::memory_order_relaxed);
  learn(before, this->report(), begun_.exchange(0, std::memory_order_relaxed) / pauses);
  // What is open now is in the report's figures. The number skips 0, which stands for no ticket.
  uint64_t work = work_.load(std::memory_order_relaxed);
  uint64_t next = 0;
  do {
    uint64_t number = (work >> 32) + 1;
    if (number > UINT32_MAX) number = 1;
    next = number << 32;
  } while (!work_.compare_exchange_weak(work, next, std::memory_order_relaxed));
}

void ReportedLoad::learn(const LoadReport& before, const LoadReport& now, double work) {
  if (before.cpu && now.cpu) cpu_cost_.learn(*before.cpu, *now.cpu, work);
  if (before.network && now.network) network_cost_.learn(*before.network, *now.network, work);
}

int64_t ReportedLoad::usual_ms() const {
  int64_t usual = usual_ms_.load(std::memory_order_relaxed);
  int64_t at_most = std::min(at_most_ms_.load(std::memory_order_relaxed), kLongest_ms);
  // After a single report nothing is known but the bound, if there is one.
  if (usual == 0) usual = at_most < kLongest_ms ? at_most : kGuess_ms;
  return std::max(std::min(usual, at_most), kShortest_ms);
}

int64_t ReportedLoad::overloaded_until_ms() const {
  int64_t overloaded_ms = overloaded_ms_.load(std::memory_order_relaxed);
  return overloaded_ms == 0 ? 0 : overloaded_ms + kPausesToForget * usual_ms();
}

LoadReport ReportedLoad::report() const {
  uint64_t figures = figures_.load(std::memory_order_relaxed);
  return {
      .cpu = unpack(figures), .memory = unpack(figures >> 16), .network = unpack(figures >> 32)};
}

// Work says nothing of memory, which stays in use after it.
std::optional<double> ReportedLoad::figure(LoadMetric metric, double pauses) const {
  LoadReport load = report();
  double work = begun_.load(std::memory_order_relaxed);
  if (load.cpu) load.cpu = cpu_cost_.expect(*load.cpu, work, pauses);
  if (load.network) load.network = network_cost_.expect(*load.network, work, pauses);
  switch (metric) {
    case LoadMetric::max:
      return load.usual();
    case LoadMetric::cpu:
      return load.cpu;
    case LoadMetric::memory:
      return load.memory;
    case LoadMetric::network:
      return load.network;
  }
  return {};
}

ReportedLoad::View ReportedLoad::view(LoadMetric metric, int64_t now_ms) const {
  int64_t reported_ms = reported_ms_.load(std::memory_order_relaxed);
  if (reported_ms == 0) return {};
  auto age_ms = static_cast<double>(std::max<int64_t>(0, now_ms - reported_ms));
  double pauses = age_ms / static_cast<double>(usual_ms());
  auto load = figure(metric, pauses);
  if (!load) return {};
  return {*load, std::max(0.0, 1 - pauses / kPausesToForget)};
}

uint32_t ReportedLoad::begin_work() {
  if (!is_known()) return 0;
  begun_.fetch_add(1, std::memory_order_relaxed);
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
