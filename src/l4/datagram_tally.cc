// SPDX-License-Identifier: MIT
#include "l4/datagram_tally.h"

#include <utility>

#include "common/log.h"

namespace lb {

void DatagramTally::hand_over(DatagramLimits& all_workers, const std::string& listener,
                              int64_t now_ms) {
  bool any = false;
  for (size_t i = 0; i < kDroppedReasons; ++i) {
    uint64_t count = std::exchange(dropped_[i], 0);
    if (count == 0) continue;
    all_workers.dropped[i].fetch_add(count, std::memory_order_relaxed);
    unreported_[i] += count;
    any = true;
  }
  if (!any || (reported_ms_ != 0 && now_ms - reported_ms_ < kReportPause_ms)) return;
  report(listener);
  reported_ms_ = now_ms;
}

void DatagramTally::report(const std::string& listener) {
  std::string what;
  for (size_t i = 0; i < kDroppedReasons; ++i) {
    if (unreported_[i] == 0) continue;
    if (!what.empty()) what += ", ";
    what += fmt::format("{} {}", unreported_[i], to_string(static_cast<Dropped>(i)));
  }
  log::warning("listener {}: datagrams dropped since the last such line: {}", listener, what);
  unreported_ = {};
}

}  // namespace lb
