// SPDX-License-Identifier: MIT
#include "admin/prometheus.h"

#include "common/log.h"

namespace lb::admin {

namespace {

constexpr int kFirstBound = 8;  // 2^8 us
constexpr int kLastBound = 26;  // 67 s

std::string escaped(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
  }
  return out;
}

const char* word(PrometheusText::Type type) {
  switch (type) {
    case PrometheusText::Type::counter:
      return "counter";
    case PrometheusText::Type::gauge:
      return "gauge";
    case PrometheusText::Type::histogram:
      return "histogram";
  }
  return "gauge";
}

}  // namespace

void PrometheusText::family(std::string_view name, Type type, std::string_view help) {
  family_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, word(type));
}

void PrometheusText::line(std::string_view suffix, Labels labels, std::string_view bound,
                          std::string_view value) {
  text_.append(family_).append(suffix);
  char separator = '{';
  for (const auto& [name, label] : labels) {
    text_ += separator;
    text_.append(name).append("=\"").append(escaped(label)).append("\"");
    separator = ',';
  }
  if (!bound.empty()) {
    text_ += separator;
    text_.append("le=\"").append(bound).append("\"");
    separator = ',';
  }
  if (separator == ',') text_ += '}';
  text_.append(" ").append(value).append("\n");
}

void PrometheusText::sample(Labels labels, double value) {
  line("", labels, "", fmt::format("{}", value));
}

void PrometheusText::sample(Labels labels, uint64_t value) {
  line("", labels, "", fmt::format("{}", value));
}

void PrometheusText::sample(Labels labels, const HistogramCounts& counts) {
  for (int bit = kFirstBound; bit <= kLastBound; ++bit) {
    auto seconds = static_cast<double>(uint64_t{1} << bit) / 1e6;
    line("_bucket", labels, fmt::format("{}", seconds), fmt::format("{}", counts.below_power(bit)));
  }
  uint64_t count = counts.count();
  line("_bucket", labels, "+Inf", fmt::format("{}", count));
  line("_sum", labels, "", fmt::format("{}", static_cast<double>(counts.sum_us()) / 1e6));
  line("_count", labels, "", fmt::format("{}", count));
}

}  // namespace lb::admin
