// SPDX-License-Identifier: MIT
// The section pools.NAME.health_check: the types of checks, and the keys that all of them have.
#include <algorithm>

#include "config/sections.h"

namespace lb::config {

namespace {

constexpr milliseconds kShortestInterval{10};
constexpr milliseconds kLongestInterval{24LL * 3'600'000};
constexpr uint32_t kMostInARow = 1'000;

constexpr Word<CheckType> kTypes[] = {
    {"tcp", CheckType::tcp},       {"tls", CheckType::tls},     {"http", CheckType::http},
    {"https", CheckType::https},   {"grpc", CheckType::grpc},   {"dns", CheckType::dns},
    {"script", CheckType::script}, {"agent", CheckType::agent}, {"postgres", CheckType::postgres},
    {"mysql", CheckType::mysql},   {"redis", CheckType::redis},
};

struct KeyOfTypes {
  std::string_view key;
  std::vector<CheckType> types;
};

// Which types have a key that not all of them have.
const std::vector<KeyOfTypes>& keys_of_types() {
  using enum CheckType;
  static const std::vector<KeyOfTypes> keys = {
      {"send", {tcp}},
      {"expect", {tcp}},
      {"path", {http, https}},
      {"method", {http, https}},
      {"host", {tls, http, https, grpc}},
      {"expect_status", {http, https}},
      {"expect_body", {http, https}},
      {"verify", {tls, https}},
      {"ca", {tls, https}},
      {"service", {grpc}},
      {"query", {dns}},
      {"thresholds", {http, https, agent}},
      {"command", {script}},
      {"user", {postgres, mysql, redis}},
      {"password_file", {postgres, mysql, redis}},
      {"database", {postgres, mysql, redis}},
      {"role", {postgres, mysql, redis}},
      {"max_lag", {postgres, mysql}},
  };
  return keys;
}

std::string_view word(CheckType type) {
  auto named = std::find_if(std::begin(kTypes), std::end(kTypes),
                            [&](const Word<CheckType>& known) { return known.value == type; });
  return named->word;
}

Scalar<uint16_t> port() {
  auto parse = [number = whole_number(1, 65'535)](std::string_view text) -> Result<uint16_t> {
    auto port = number.parse(text);
    if (!port) return Unexpected{port.error()};
    return static_cast<uint16_t>(*port);
  };
  return {"a port from 1 to 65535", parse};
}

// Nothing after an error.
std::optional<CheckType> read_type(Section& section) {
  auto value = section.find("type");
  if (!value) return CheckType::tcp;
  return value->as(one_of<CheckType>({std::begin(kTypes), std::end(kTypes)}));
}

void refuse_keys_of_other_types(Section& section, CheckType type) {
  for (const KeyOfTypes& known : keys_of_types()) {
    if (std::find(known.types.begin(), known.types.end(), type) != known.types.end()) continue;
    std::string types;
    for (CheckType taking : known.types) {
      if (!types.empty()) types += taking == known.types.back() ? " and " : ", ";
      types += word(taking);
    }
    section.does_not_apply({known.key}, fmt::format("for checks of type {}; this one is of type {}",
                                                    types, word(type)));
  }
}

}  // namespace

void read_health_check(const Value& value, const std::filesystem::path& directory,
                       HealthCheckConfig& check) {
  if (value.is_off()) {
    check.enabled = false;
    return;
  }
  auto every = duration(kShortestInterval, kLongestInterval);
  auto in_a_row = whole_number(1, kMostInARow);
  Section section(value);
  auto type = read_type(section);
  section.read("interval", check.interval, every);
  section.read("timeout", check.timeout, duration(milliseconds(1), kLongestInterval));
  section.read("rise", check.rise, in_a_row);
  section.read("fall", check.fall, in_a_row);
  section.read("fast_interval", check.fast_interval, every);
  section.read("port", check.port, port());
  if (!type) {
    for (const KeyOfTypes& known : keys_of_types()) section.ignore({known.key});
    return;
  }
  check.type = *type;
  read_check_of_type(section, directory, check);
  refuse_keys_of_other_types(section, *type);
}

}  // namespace lb::config
