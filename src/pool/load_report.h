// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

namespace lb {

// What a server says of its load: shares of what it has, 1 = all of it; absent where it says
// nothing. At least 0 and at most kMostLoad.
struct LoadReport {
  static constexpr double kMostLoad = 10;

  std::optional<double> cpu = {};
  std::optional<double> memory = {};
  std::optional<double> network = {};

  bool empty() const { return !cpu && !memory && !network; }
  // What counts where no figure is named: the greater of cpu and network.
  std::optional<double> usual() const { return std::max(cpu, network); }

  friend bool operator==(const LoadReport&, const LoadReport&) = default;
};

// The response header that carries a report, and the longest value of it that is read.
inline constexpr std::string_view kLoadHeader = "endpoint-load-metrics";
inline constexpr size_t kMaxLoadHeader = 4'096;

// Both read what a server sent, in one pass and without allocation: any thread. They pass over
// metrics that they do not know; nothing where the text is malformed or knows none of ours.

// The header's value, as ORCA writes it: `JSON {"cpu_utilization": 0.31, "mem_utilization": 0.6,
// "named_metrics": {"network": 0.2}}` or `TEXT cpu_utilization=0.31, named_metrics.network=0.2`.
std::optional<LoadReport> parse_load_header(std::string_view value);

// The body of a health check's answer, in per cent: `{"cpu": 31, "memory": 60, "network": 20}`.
std::optional<LoadReport> parse_load_body(std::string_view json);

}  // namespace lb
