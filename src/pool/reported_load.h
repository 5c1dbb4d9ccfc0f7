// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "config/config.h"
#include "pool/load_report.h"
#include "pool/work_cost.h"

namespace lb {

// What a server last said of its load, how long ago that was by its own pace, how much of the work
// that began there since is still open, and what that work has made of the load by now. Figures are
// kept to a six-thousandth. Any thread, lock-free; a reader that crosses a report may see its
// figures with the age of the one before.
class ReportedLoad {
 public:
  // How often servers usually report is learned within these bounds.
  static constexpr int64_t kShortest_ms = 100;
  static constexpr int64_t kLongest_ms = 60'000;
  // A report is of use for so many of its server's usual pauses.
  static constexpr int64_t kPausesToForget = 3;

  // A report that came at `now_ms` (monotonic). `usual_at_most`: the reports come at least that
  // often, as those of checks do. One that repeats the figures of the last within the usual time is
  // no news: servers measure now and then, and write what they have into every response.
  void note(const LoadReport& report, int64_t now_ms,
            std::chrono::milliseconds usual_at_most = std::chrono::milliseconds(kLongest_ms));

  // A response said at `now_ms` that the server is overloaded; 0: that it is not any more.
  void note_overload(int64_t now_ms) { overloaded_ms_.store(now_ms, std::memory_order_relaxed); }
  // For how long that holds, as long as any report is of use; 0: it is not overloaded.
  int64_t overloaded_until_ms() const;

  // It has said something, ever.
  bool is_known() const { return reported_ms_.load(std::memory_order_relaxed) != 0; }
  LoadReport report() const;

  struct View {
    double load = 0;       // as the server would report it now
    double freshness = 0;  // 1 = just reported ... 0 = not, or too long ago to count
  };
  View view(LoadMetric metric, int64_t now_ms) const;

  // One unit of work begins; the ticket, 0 where nothing is counted, goes to end_work().
  uint32_t begin_work();
  void end_work(uint32_t ticket);
  // Work that began after the last report and is still open.
  uint32_t begun_since() const {
    return static_cast<uint32_t>(work_.load(std::memory_order_relaxed));
  }

 private:
  int64_t usual_ms() const;
  void learn(const LoadReport& before, const LoadReport& now, double work);
  std::optional<double> figure(LoadMetric metric, double pauses) const;

  std::atomic<uint64_t> figures_{0};               // three times 16 bits, 0 = absent
  std::atomic<int64_t> reported_ms_{0};            // 0 = never
  std::atomic<int64_t> usual_ms_{0};               // between two reports; 0 = there was one at most
  std::atomic<int64_t> at_most_ms_{0};             // what the last report said of that
  std::atomic<uint64_t> work_{uint64_t{1} << 32};  // number of the last report, work since
  std::atomic<int64_t> overloaded_ms_{0};          // as a response last said, 0 = it is not
  std::atomic<uint32_t> begun_{0};                 // since the last report, ended or not
  WorkCost cpu_cost_;
  WorkCost network_cost_;
};

}  // namespace lb
