// SPDX-License-Identifier: MIT
#include "app/demo_behavior.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "common/log.h"

namespace lb {

namespace {

using std::chrono::microseconds;

constexpr double kLongest_ms = 60'000;

// A number that is followed by `unit`.
bool read(std::string_view text, std::string_view unit, double most, double& number) {
  if (!text.ends_with(unit)) return false;
  text.remove_suffix(unit.size());
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && number >= 0 &&
         number <= most;
}

Status<> read_rate(const char* name, const char* text, double& rate) {
  double percent = 0;
  if (read(text, "%", 100, percent)) {
    rate = percent / 100;
  } else if (!read(text, "", 1, rate)) {
    return fail(fmt::format("{}: '{:.60}' is no share; write 0.05 or 5%", name, text));
  }
  return Done{};
}

Status<> read_latency(const char* name, const char* text, microseconds& latency) {
  double ms = 0;
  double s = 0;
  if (!read(text, "ms", kLongest_ms, ms) && !read(text, "", kLongest_ms, ms)) {
    if (!read(text, "s", kLongest_ms / 1'000, s)) {
      return fail(
          fmt::format("{}: '{:.60}' is no time up to a minute; write 20ms or 1s", name, text));
    }
    ms = s * 1'000;
  }
  latency = microseconds(static_cast<int64_t>(ms * 1'000));
  return Done{};
}

}  // namespace

Result<DemoBehavior> demo_behavior(const std::function<const char*(const char*)>& variable) {
  DemoBehavior behavior;
  if (const char* text = variable("FAILURE_RATE")) {
    auto read = read_rate("FAILURE_RATE", text, behavior.failure_rate);
    if (!read) return Unexpected{read.error()};
  }
  const char* least = variable("MIN_LATENCY");
  const char* most = variable("MAX_LATENCY");
  if (least != nullptr) {
    auto read = read_latency("MIN_LATENCY", least, behavior.min_latency);
    if (!read) return Unexpected{read.error()};
    behavior.max_latency = std::max(behavior.max_latency, behavior.min_latency);
  }
  if (most != nullptr) {
    auto read = read_latency("MAX_LATENCY", most, behavior.max_latency);
    if (!read) return Unexpected{read.error()};
    if (least == nullptr) {
      behavior.min_latency = std::min(behavior.min_latency, behavior.max_latency);
    }
  }
  if (behavior.min_latency > behavior.max_latency) {
    return fail("MIN_LATENCY: is more than MAX_LATENCY");
  }
  return behavior;
}

}  // namespace lb
