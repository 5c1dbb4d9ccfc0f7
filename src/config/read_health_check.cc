// SPDX-License-Identifier: MIT
// The section pools.NAME.health_check: the types of checks, and the keys that all of them have.
#include <algorithm>
#include <initializer_list>

#include "config/sections.h"

namespace lb::config {

namespace {

constexpr milliseconds kShortestInterval{10};
constexpr milliseconds kLongestInterval{24LL * 3'600'000};
constexpr uint32_t kMostInARow = 1'000;

struct NamedType {
  std::string_view word;
  CheckType type;
  bool is_built;
};

constexpr NamedType kTypes[] = {
    {"tcp", CheckType::tcp, true},           {"tls", CheckType::tls, false},
    {"http", CheckType::http, true},         {"https", CheckType::https, false},
    {"grpc", CheckType::grpc, true},         {"dns", CheckType::dns, true},
    {"script", CheckType::script, true},     {"agent", CheckType::agent, false},
    {"postgres", CheckType::postgres, true}, {"mysql", CheckType::mysql, true},
    {"redis", CheckType::redis, true},
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
                            [&](const NamedType& known) { return known.type == type; });
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
  std::vector<Word<CheckType>> words;
  std::vector<RefusedWord> refused;
  for (const NamedType& known : kTypes) {
    if (known.is_built) {
      words.push_back({known.word, known.type});
    } else {
      refused.push_back({known.word, kNotBuilt});
    }
  }
  return value->as(one_of(std::move(words), std::move(refused)));
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
