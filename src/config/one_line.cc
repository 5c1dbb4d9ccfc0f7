// SPDX-License-Identifier: MIT
#include "config/one_line.h"

#include "common/log.h"

namespace lb {

namespace {

// In single quotes YAML knows no escape but the doubled quote.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string quoted(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  all.reserve(texts.size());
  for (const std::string& text : texts) all.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(all, ", "));
}

}  // namespace

std::string config_text(const OneLine& line) {
  // Nobody could say how to check a udp server, and silence is no check.
  const char* health = line.protocol == "udp" ? ", health_check: off" : "";
  return fmt::format(
      "listeners:\n"
      "  {0}: {{protocol: {0}, pool: {0}, address: {1}}}\n"
      "pools:\n"
      "  {0}: {{balance: {2}, servers: {3}{4}}}\n",
      line.protocol, quoted(line.listen), quoted(line.balance), quoted(line.to), health);
}

Result<LoadedConfig, std::vector<ConfigProblem>> load_one_line(const OneLine& line) {
  return load_config_text(config_text(line), "");
}

}  // namespace lb
