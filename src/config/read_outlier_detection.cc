// SPDX-License-Identifier: MIT
// The section pools.NAME.outlier_detection.
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostFailures = 1'000;
constexpr milliseconds kLongestEjection{24LL * 3'600'000};

}  // namespace

void read_outlier_detection(const Value& value, PoolConfig& pool) {
  if (value.is_off()) return;
  OutlierConfig outlier;
  Section section(value);
  section.read("consecutive_failures", outlier.consecutive_failures,
               whole_number(1, kMostFailures));
  section.read("eject_for", outlier.eject_for, duration(milliseconds(1), kLongestEjection));
  section.read("max_ejected", outlier.max_ejected_percent, percentage());
  pool.outlier_detection = outlier;
}

}  // namespace lb::config
