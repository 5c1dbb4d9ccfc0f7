// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "common/histogram.h"

namespace lb::admin {

// Metrics in the text format that Prometheus scrapes, version 0.0.4. Families one after another,
// each with all of its samples.
class PrometheusText {
 public:
  enum class Type { counter, gauge, histogram };
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  void family(std::string_view name, Type type, std::string_view help);
  // Of the family that was begun last.
  void sample(Labels labels, double value);
  void sample(Labels labels, uint64_t value);
  // Bounds of 256 us, 512 us ... 67 s: where the buckets of a Histogram end.
  void sample(Labels labels, const HistogramCounts& counts);

  const std::string& text() const { return text_; }

 private:
  void line(std::string_view suffix, Labels labels, std::string_view bound, std::string_view value);

  std::string family_;
  std::string text_;
};

}  // namespace lb::admin
