// SPDX-License-Identifier: MIT
#include "health/overload.h"

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

}  // namespace

std::optional<Overload::Change> Overload::add(const LoadReport& report) {
  const Figure figures[] = {{"cpu", report.cpu, thresholds_.cpu},
                            {"memory", report.memory, thresholds_.memory},
                            {"network", report.network, thresholds_.network}};
  const Figure* high = nullptr;
  for (const Figure& figure : figures) {
    if (!high && figure.is_high(overloaded_ ? kHysteresis : 0)) high = &figure;
  }
  if ((high != nullptr) == overloaded_) return std::nullopt;
  overloaded_ = !overloaded_;
  if (!high) return Change{false, "its load is below the thresholds again"};
  return Change{true, fmt::format("{} {:.0f} % is above {} %", high->name, *high->load * 100,
                                  *high->threshold)};
}

}  // namespace lb
