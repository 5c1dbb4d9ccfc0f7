// SPDX-License-Identifier: MIT
#include "config/scalar.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "common/log.h"
#include "config/problems.h"
#include "config/suggest.h"

namespace lb::config {

namespace {

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

// Digits of a whole number without sign and leading zeros; kHuge where it does not fit.
std::optional<uint64_t> digits(std::string_view text) {
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return {};
  if (text.size() > 1 && text.front() == '0') return {};
  uint64_t number = 0;
  auto status = std::from_chars(text.data(), text.data() + text.size(), number).ec;
  return status == std::errc() ? number : kHuge;
}

struct NumberAndUnit {
  uint64_t number = 0;
  std::string_view unit;  // empty when there is none
};

std::optional<NumberAndUnit> split_unit(std::string_view text) {
  size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  auto number = digits(text.substr(0, end));
  if (!number) return {};
  return NumberAndUnit{*number, text.substr(end)};
}

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr Unit kTimes[] = {
    {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {
    {"B", 1},      {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20},   {"GiB", 1ULL << 30},
    {"kB", 1'000}, {"MB", 1'000'000},   {"GB", 1'000'000'000},
};

// number × factor of its unit, kHuge where it does not fit; nothing for an unknown unit.
template <size_t N>
std::optional<uint64_t> in_units(const NumberAndUnit& value, const Unit (&units)[N]) {
  for (const Unit& unit : units) {
    if (unit.name != value.unit) continue;
    return value.number > kHuge / unit.factor ? kHuge : value.number * unit.factor;
  }
  return {};
}

std::string size_text(uint64_t bytes) {
  if (bytes % (1ULL << 30) == 0 && bytes > 0) return fmt::format("{}GiB", bytes >> 30);
  if (bytes % (1ULL << 20) == 0 && bytes > 0) return fmt::format("{}MiB", bytes >> 20);
  if (bytes % (1ULL << 10) == 0 && bytes > 0) return fmt::format("{}KiB", bytes >> 10);
  return fmt::format("{}B", bytes);
}

Result<milliseconds> parse_duration(std::string_view text, milliseconds min, milliseconds max) {
  auto value = split_unit(text);
  if (value && value->unit.empty()) {
    return fail(fmt::format("'{0}' has no unit; write {0}s if seconds are meant (ms, s, m, h, d)",
                            text.substr(0, 60)));
  }
  auto total = value ? in_units(*value, kTimes) : std::nullopt;
  if (!total) {
    return fail(
        fmt::format("{} is not a duration: one whole number and one unit of ms, s, m, h, d, "
                    "such as 250ms or 2s",
                    quote(text)));
  }
  auto min_ms = static_cast<uint64_t>(min.count());
  auto max_ms = static_cast<uint64_t>(max.count());
  if (*total < min_ms || *total > max_ms) {
    return fail(fmt::format("{} is out of range; it must be {} to {}", quote(text), to_string(min),
                            to_string(max)));
  }
  return milliseconds(*total);
}

Result<uint64_t> parse_size(std::string_view text, uint64_t min, uint64_t max) {
  auto value = split_unit(text);
  if (value && value->unit.empty()) {
    return fail(
        fmt::format("'{0}' has no unit; write {0}B if bytes are meant (B, KiB, MiB, GiB, kB, "
                    "MB, GB)",
                    text.substr(0, 60)));
  }
  auto total = value ? in_units(*value, kSizes) : std::nullopt;
  if (!total) {
    return fail(
        fmt::format("{} is not a size: one whole number and one unit of B, KiB, MiB, GiB, "
                    "kB, MB, GB, such as 64KiB",
                    quote(text)));
  }
  if (*total < min || *total > max) {
    return fail(fmt::format("{} is out of range; it must be {} to {}", quote(text), size_text(min),
                            size_text(max)));
  }
  return *total;
}

Result<Rate> parse_rate(std::string_view text) {
  size_t slash = text.find('/');
  auto count = digits(text.substr(0, slash));
  if (count && slash == std::string_view::npos) {
    return fail(fmt::format("{} has no unit; a rate is written 100/s or 600/m", quote(text)));
  }
  std::string_view unit = slash == std::string_view::npos ? "" : text.substr(slash + 1);
  if (!count || (unit != "s" && unit != "m")) {
    return fail(
        fmt::format("{} is not a rate: a whole number and /s or /m, such as 100/s", quote(text)));
  }
  if (*count < 1 || *count > 1'000'000'000) {
    return fail(fmt::format("{} is out of range; the number must be 1 to 1000000000", quote(text)));
  }
  auto number = static_cast<uint32_t>(*count);
  if (unit == "s") return Rate{number, milliseconds(1'000), number};
  return Rate{number, milliseconds(60'000), std::max(number / 60, 1U)};
}

Result<uint32_t> parse_percentage(std::string_view text) {
  auto value = split_unit(text);
  if (value && value->unit.empty()) {
    return fail(fmt::format("{} has no unit; a percentage is written 0% to 100%", quote(text)));
  }
  if (!value || value->unit != "%") {
    return fail(
        fmt::format("{} is not a percentage: a whole number and '%', such as 20%", quote(text)));
  }
  if (value->number > 100) {
    return fail(fmt::format("{} is out of range; it must be 0% to 100%", quote(text)));
  }
  return static_cast<uint32_t>(value->number);
}

}  // namespace

bool is_off(std::string_view text) {
  return text == "off" || text == "false" || text == "no";
}

std::string to_string(milliseconds duration) {
  auto ms = static_cast<uint64_t>(duration.count());
  if (ms == 0) return "0s";
  for (auto unit = std::rbegin(kTimes); unit != std::rend(kTimes); ++unit) {
    if (ms % unit->factor == 0) return fmt::format("{}{}", ms / unit->factor, unit->name);
  }
  return fmt::format("{}ms", ms);
}

std::string not_one_of(std::string_view text, const std::vector<std::string_view>& words) {
  std::string message = fmt::format("{} is not one of {}", quote(text), fmt::join(words, ", "));
  std::string_view meant = closest(text, words);
  if (!meant.empty()) message += fmt::format("; did you mean '{}'?", meant);
  return message;
}

Scalar<bool> boolean() {
  return {"true or false", [](std::string_view text) -> Result<bool> {
            if (text == "true" || text == "on" || text == "yes") return true;
            if (is_off(text)) return false;
            return fail(fmt::format("{} is neither true nor false", quote(text)));
          }};
}

Scalar<uint32_t> whole_number(uint32_t min, uint32_t max) {
  auto parse = [min, max](std::string_view text) -> Result<uint32_t> {
    auto number = digits(text.starts_with('-') ? text.substr(1) : text);
    if (!number) {
      return fail(
          fmt::format("{} is not a whole number; it must be {} to {}", quote(text), min, max));
    }
    if (text.starts_with('-') || *number < min || *number > max) {
      return fail(fmt::format("{} is out of range; it must be {} to {}", quote(text), min, max));
    }
    return static_cast<uint32_t>(*number);
  };
  return {fmt::format("a whole number from {} to {}", min, max), parse};
}

Scalar<milliseconds> duration(milliseconds min, milliseconds max) {
  return {"a duration with its unit, such as 250ms, 2s or 5m",
          [min, max](std::string_view text) { return parse_duration(text, min, max); }};
}

Scalar<milliseconds> whole_seconds(milliseconds min, milliseconds max) {
  auto parse = [min, max](std::string_view text) -> Result<milliseconds> {
    auto value = parse_duration(text, min, max);
    if (value && value->count() % 1'000 != 0) {
      return fail(
          fmt::format("{} is no whole number of seconds, the kernel's unit here", quote(text)));
    }
    return value;
  };
  return {"a duration in whole seconds, such as 60s", parse};
}

Scalar<uint64_t> size(uint64_t min, uint64_t max) {
  return {"a size with its unit, such as 512B, 64KiB or 10MiB",
          [min, max](std::string_view text) { return parse_size(text, min, max); }};
}

Scalar<Rate> rate() {
  return {"a rate, such as 100/s or 600/m", parse_rate};
}

Scalar<uint32_t> percentage() {
  return {"a percentage from 0% to 100%", parse_percentage};
}

Scalar<std::string> text(size_t min, size_t max) {
  auto parse = [min, max](std::string_view text) -> Result<std::string> {
    if (text.size() < min || text.size() > max) {
      return fail(fmt::format("has {} bytes; it must have {} to {}", text.size(), min, max));
    }
    return std::string(text);
  };
  return {fmt::format("a text of {} to {} bytes", min, max), parse, true};
}

Scalar<std::string> file_path() {
  return {"the path of a file", [](std::string_view text) -> Result<std::string> {
            if (text.empty() || text.find('\0') != std::string_view::npos) {
              return fail("must be the path of a file");
            }
            return std::string(text);
          }};
}

Scalar<std::string> absolute_path() {
  return {"an absolute path", [](std::string_view text) -> Result<std::string> {
            if (!text.starts_with('/') || text.ends_with('/') || text.size() > 4095) {
              return fail(fmt::format("{} is not the absolute path of a file", quote(text)));
            }
            return std::string(text);
          }};
}

}  // namespace lb::config
