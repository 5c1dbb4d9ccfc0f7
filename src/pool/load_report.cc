// SPDX-License-Identifier: MIT
#include "pool/load_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace lb {

namespace {

constexpr int kMaxDepth = 16;

// One pass over a JSON text. Every take_...() fails, and leaves the rest unread, where the text is
// not what it should be. Escapes in strings are checked but not resolved: no name of ours needs
// one.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  // Calls `member(name)` for each member of an object; that takes the value.
  template <typename Member>
  bool take_object(Member member) {
    if (!take('{')) return false;
    if (take('}')) return true;
    do {
      std::string_view name;
      skip_space();
      if (!take_string(&name) || !take(':') || !member(name)) return false;
    } while (take(','));
    return take('}');
  }

  bool take_value(int depth = 0) {
    if (depth > kMaxDepth) return false;
    skip_space();
    std::string_view ignored;
    double number = 0;
    switch (peek()) {
      case '{':
        return take_object([&](std::string_view) { return take_value(depth + 1); });
      case '[':
        return take_list(depth);
      case '"':
        return take_string(&ignored);
      case 't':
        return take_word("true");
      case 'f':
        return take_word("false");
      case 'n':
        return take_word("null");
      default:
        return take_number(&number);
    }
  }

  bool next_is_number() {
    skip_space();
    return peek() == '-' || is_digit(peek());
  }
  bool next_is_object() {
    skip_space();
    return peek() == '{';
  }

  bool take_number(double* number) {
    skip_space();
    size_t begin = at_;
    if (peek() == '-') ++at_;
    bool leading_zero = peek() == '0';
    size_t whole = skip_digits();
    if (whole == 0 || (leading_zero && whole > 1)) return false;
    if (peek() == '.') {
      ++at_;
      if (skip_digits() == 0) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (skip_digits() == 0) return false;
    }
    auto parsed = std::from_chars(text_.data() + begin, text_.data() + at_, *number);
    return parsed.ec == std::errc();
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) {
      ++at_;
    }
  }
  size_t skip_digits() {
    size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return at_ - begin;
  }
  bool take(char c) {
    skip_space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool take_list(int depth) {
    if (!take('[')) return false;
    if (take(']')) return true;
    do {
      if (!take_value(depth + 1)) return false;
    } while (take(','));
    return take(']');
  }
  bool take_string(std::string_view* content) {
    if (peek() != '"') return false;
    size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return false;
      at_ += text_[at_] == '\\' ? 2U : 1U;
    }
    if (at_ >= text_.size()) return false;
    *content = text_.substr(begin, at_ - begin);
    ++at_;
    return true;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

// A figure that can be no load counts as not said.
void set(std::optional<double>& metric, double value) {
  if (std::isfinite(value) && value >= 0) metric = std::min(value, LoadReport::kMostLoad);
}

std::optional<LoadReport> unless_empty(const LoadReport& report) {
  if (report.empty()) return std::nullopt;
  return report;
}

// Where a metric of an ORCA report belongs, if anywhere.
std::optional<double>* orca_metric(LoadReport& report, std::string_view name) {
  if (name == "cpu_utilization" || name == "cpuUtilization" || name == "cpu") return &report.cpu;
  if (name == "mem_utilization" || name == "memUtilization" || name == "mem") return &report.memory;
  return nullptr;
}

bool take_metric(JsonCursor& json, std::optional<double>* metric, double unit) {
  if (!metric || !json.next_is_number()) return json.take_value();
  double value = 0;
  if (!json.take_number(&value)) return false;
  set(*metric, value * unit);
  return true;
}

std::optional<LoadReport> parse_orca_json(std::string_view text) {
  JsonCursor json(text);
  LoadReport report;
  bool valid = json.take_object([&](std::string_view name) {
    bool named = name == "named_metrics" || name == "namedMetrics";
    if (!named || !json.next_is_object()) return take_metric(json, orca_metric(report, name), 1);
    return json.take_object([&](std::string_view metric) {
      return take_metric(json, metric == "network" ? &report.network : nullptr, 1);
    });
  });
  if (!valid || !json.at_end()) return std::nullopt;
  return unless_empty(report);
}

std::string_view trim(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::optional<LoadReport> parse_orca_text(std::string_view text) {
  LoadReport report;
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    std::string_view item = trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    size_t equals = item.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    std::string_view name = trim(item.substr(0, equals));
    std::string_view written = trim(item.substr(equals + 1));
    double value = 0;
    auto parsed = std::from_chars(written.data(), written.data() + written.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != written.data() + written.size()) {
      return std::nullopt;
    }
    std::optional<double>* metric =
        name == "named_metrics.network" ? &report.network : orca_metric(report, name);
    if (metric) set(*metric, value);
  }
  return unless_empty(report);
}

}  // namespace

std::optional<LoadReport> parse_load_header(std::string_view value) {
  value = trim(value);
  if (value.size() > kMaxLoadHeader) return std::nullopt;
  if (value.starts_with("JSON ")) return parse_orca_json(value.substr(5));
  if (value.starts_with("TEXT ")) return parse_orca_text(value.substr(5));
  return std::nullopt;
}

std::optional<LoadReport> parse_load_body(std::string_view text) {
  JsonCursor json(text);
  LoadReport report;
  bool valid = json.take_object([&](std::string_view name) {
    std::optional<double>* metric = name == "cpu"       ? &report.cpu
                                    : name == "memory"  ? &report.memory
                                    : name == "network" ? &report.network
                                                        : nullptr;
    return take_metric(json, metric, 0.01);
  });
  if (!valid || !json.at_end()) return std::nullopt;
  return unless_empty(report);
}

}  // namespace lb
