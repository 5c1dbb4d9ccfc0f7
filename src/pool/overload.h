// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "pool/load_report.h"
#include "pool/server.h"
#include "pool/worker_context.h"

namespace lb {

// Which figure of a report says that its server is overloaded, in words; nothing where none does.
// Of one that is `overloaded` already each has to fall below its threshold by
// Overload::kHysteresis. Pure.
std::optional<std::string> overload_in(const LoadReport& report, const LoadThresholds& thresholds,
                                       bool overloaded);

// Turns the load reports of checks into overload: begins when one figure is above its threshold,
// ends when all are kHysteresis below theirs. A figure that a report lacks is no load. Pure.
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

// A server reported its load in a response. The control thread is told when that begins or ends an
// overload; one that no response confirms ends by itself (PoolRegistry). Worker thread.
void note_response_load(Server& server, const LoadReport& report, const PoolConfig& pool,
                        WorkerContext& worker);

}  // namespace lb
