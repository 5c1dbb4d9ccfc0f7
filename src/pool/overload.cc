// SPDX-License-Identifier: MIT
#include "pool/overload.h"

#include <utility>

#include "common/log.h"

namespace lb {

namespace {

struct Figure {
  const char* name;
  std::optional<double> load;
  std::optional<uint32_t> threshold;

  // Above its threshold, or not yet `below` it. Thousandths, so that 0.85 is not above 85 %.
  bool is_high(double below) const {
    if (!load || !threshold) return false;
    return *load - (*threshold / 100.0 - below) > 0.0005;
  }
};

std::optional<Figure> high_figure(const LoadReport& report, const LoadThresholds& thresholds,
                                  bool overloaded) {
  const Figure figures[] = {{"cpu", report.cpu, thresholds.cpu},
                            {"memory", report.memory, thresholds.memory},
                            {"network", report.network, thresholds.network}};
  for (const Figure& figure : figures) {
    if (figure.is_high(overloaded ? Overload::kHysteresis : 0)) return figure;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> overload_in(const LoadReport& report, const LoadThresholds& thresholds,
                                       bool overloaded) {
  auto high = high_figure(report, thresholds, overloaded);
  if (!high) return std::nullopt;
  return fmt::format("{} {:.0f} % is above {} %", high->name, *high->load * 100, *high->threshold);
}

std::optional<Overload::Change> Overload::add(const LoadReport& report) {
  auto high = overload_in(report, thresholds_, overloaded_);
  if (high.has_value() == overloaded_) return std::nullopt;
  overloaded_ = !overloaded_;
  if (!high) return Change{false, "its load is below the thresholds again"};
  return Change{true, std::move(*high)};
}

void note_response_load(Server& server, const LoadReport& report, const PoolConfig& pool,
                        WorkerContext& worker) {
  int64_t now_ms = worker.loop.now_ms();
  server.reported.note(report, now_ms);
  const LoadThresholds& thresholds = pool.health_check.thresholds;
  if (!thresholds.any()) return;
  bool before = server.reported.overloaded_until_ms() > now_ms;
  bool after = high_figure(report, thresholds, before).has_value();
  if (after || before) server.reported.note_overload(after ? now_ms : 0);
  if (after != before) worker.control.overload_changed(server);
}

}  // namespace lb
