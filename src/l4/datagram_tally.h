// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "net/rate_limit.h"

namespace lb {

// What was dropped of a listener's datagrams on one worker: counted here during a turn, then handed
// over to the counts of all workers, and said in the log, at most every ten seconds. One worker.
class DatagramTally {
 public:
  void drop(Dropped reason, uint64_t count) { of(dropped_, reason) += count; }
  // For the writer, which finds out after the fact.
  uint64_t& not_sent() { return of(dropped_, Dropped::not_sent); }
  // At the end of a turn.
  void hand_over(DatagramLimits& all_workers, const std::string& listener, int64_t now_ms);

 private:
  using Counts = std::array<uint64_t, kDroppedReasons>;
  static constexpr int64_t kReportPause_ms = 10'000;

  static uint64_t& of(Counts& counts, Dropped reason) {
    return counts[static_cast<size_t>(reason)];
  }
  void report(const std::string& listener);

  Counts dropped_{};  // since the last turn
  Counts unreported_{};
  int64_t reported_ms_ = 0;
};

}  // namespace lb
