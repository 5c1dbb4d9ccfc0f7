// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

namespace lb {

// What a piece of work adds to a figure that a server reports, learned from its reports. By it a
// report is carried on until the next one: who has just reported little, and therefore is given
// much, is known to have it. The prediction counts only as far as it has been better than to take
// the last figure for the next, so that one that does not follow from our work (other clients use
// the server too, or the figure is made up) is left as reported. Any thread; learn() from several
// threads at once loses a lesson, nothing else.
class WorkCost {
 public:
  // A report of `load` follows one of `before`; `work` began between them, for a usual pause.
  void learn(double before, double load, double work) {
    auto cost = static_cast<double>(cost_.load(std::memory_order_relaxed));
    if (cost > 0) judge(std::abs(before - load), std::abs(std::min(1.0, work * cost) - load));
    if (work < 1) return;
    double measured = load / work;
    if (cost > 0) measured = cost + (measured - cost) * kPaceOfCost;
    cost_.store(static_cast<float>(measured), std::memory_order_relaxed);
  }

  // What a server would report now that reported `load` so many pauses ago and was given `work`
  // since.
  double expect(double load, double work, double pauses) const {
    auto trust = static_cast<double>(trust_.load(std::memory_order_relaxed));
    if (trust == 0) return load;
    double added = work * static_cast<double>(cost_.load(std::memory_order_relaxed));
    double expected = pauses < 1 ? load * (1 - pauses) + added : added / pauses;
    return load + (expected - load) * trust;
  }

 private:
  static constexpr double kPaceOfCost = 0.3;
  static constexpr double kGain = 0.5;
  static constexpr double kLoss = 0.25;

  // By how much either guess was wrong.
  void judge(double last, double predicted) {
    if (last == predicted) return;
    auto trust = static_cast<double>(trust_.load(std::memory_order_relaxed));
    trust = std::clamp(trust + (predicted < last ? kGain : -kLoss), 0.0, 1.0);
    trust_.store(static_cast<float>(trust), std::memory_order_relaxed);
  }

  std::atomic<float> cost_{0};   // 0 = not known
  std::atomic<float> trust_{0};  // 0 = the figure is taken as reported
};

}  // namespace lb
