// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "config/health_check.h"
#include "pool/load_report.h"

namespace lb {

// Turns load reports into overload: begins when one figure is above its threshold, ends when all
// are kHysteresis below theirs. A figure that a report lacks is no load. Pure.
class Overload {
 public:
  static constexpr double kHysteresis = 0.05;

  explicit Overload(const LoadThresholds& thresholds) : thresholds_(thresholds) {}

  struct Change {
    bool overloaded;
    std::string reason;
  };
  std::optional<Change> add(const LoadReport& report);
  void set_thresholds(const LoadThresholds& thresholds) { thresholds_ = thresholds; }
  bool overloaded() const { return overloaded_; }

 private:
  LoadThresholds thresholds_;
  bool overloaded_ = false;
};

}  // namespace lb
