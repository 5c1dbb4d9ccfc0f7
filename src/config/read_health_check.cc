// SPDX-License-Identifier: MIT
// The section pools.NAME.health_check.
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr milliseconds kShortestInterval{10};
constexpr milliseconds kLongestInterval{24LL * 3'600'000};
constexpr uint32_t kMostInARow = 1'000;
constexpr size_t kMostProbeBytes = 4'096;

Scalar<uint16_t> port() {
  auto parse = [number = whole_number(1, 65'535)](std::string_view text) -> Result<uint16_t> {
    auto port = number.parse(text);
    if (!port) return Unexpected{port.error()};
    return static_cast<uint16_t>(*port);
  };
  return {"a port from 1 to 65535", parse};
}

bool is_tcp(Section& section) {
  auto value = section.find("type");
  if (!value) return true;
  std::vector<RefusedWord> refused;
  for (std::string_view type :
       {"tls", "http", "https", "grpc", "dns", "script", "agent", "postgres", "mysql", "redis"}) {
    refused.push_back({type, kNotBuilt});
  }
  return value->as(one_of<bool>({{"tcp", true}}, std::move(refused))).has_value();
}

// What other types of checks take.
void refuse_other_keys(Section& section, bool is_tcp) {
  const std::vector<std::string_view> keys = {
      "path",       "method",  "host", "expect_status", "expect_body", "verify", "service", "query",
      "thresholds", "command", "user", "password_file", "database",    "role",   "max_lag"};
  if (is_tcp) {
    section.does_not_apply(keys, "for other types of checks; a tcp check has send and expect");
  } else {
    section.ignore(keys);
  }
}

}  // namespace

void read_health_check(const Value& value, HealthCheckConfig& check) {
  if (value.is_off()) {
    check.enabled = false;
    return;
  }
  auto every = duration(kShortestInterval, kLongestInterval);
  auto in_a_row = whole_number(1, kMostInARow);
  Section section(value);
  bool tcp = is_tcp(section);
  section.read("interval", check.interval, every);
  section.read("timeout", check.timeout, duration(milliseconds(1), kLongestInterval));
  section.read("rise", check.rise, in_a_row);
  section.read("fall", check.fall, in_a_row);
  section.read("fast_interval", check.fast_interval, every);
  section.read("port", check.port, port());
  section.read("send", check.send, text(1, kMostProbeBytes));
  section.read("expect", check.expect, text(1, kMostProbeBytes));
  if (tcp && section.has("send")) {
    section.require("expect", "'send' needs the answer that passes the check");
  }
  refuse_other_keys(section, tcp);
}

}  // namespace lb::config
