// SPDX-License-Identifier: MIT
#include "health/agent_line.h"

#include <algorithm>
#include <charconv>

#include "common/log.h"
#include "health/printable.h"

namespace lb {

namespace {

constexpr uint32_t kMostPercent = 1'000;
constexpr uint32_t kMostConnections = 10'000'000;

std::string lower_case(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::optional<uint32_t> number(std::string_view digits, uint32_t most) {
  uint32_t value = 0;
  auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  bool whole = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
  if (!whole || value > most) return std::nullopt;
  return value;
}

bool read_word(std::string_view word, AgentLine& line) {
  if (word == "up") {
    line.up = true;
  } else if (word == "down" || word == "fail" || word == "failed" || word == "stopped") {
    line.up = false;
  } else if (word == "ready") {
    line.wish.state = AdminState::ready;
  } else if (word == "drain") {
    line.wish.state = AdminState::drain;
  } else if (word == "maint") {
    line.wish.state = AdminState::maintenance;
  } else if (word.ends_with('%')) {
    line.wish.weight_percent = number(word.substr(0, word.size() - 1), kMostPercent);
    return line.wish.weight_percent.has_value();
  } else if (word.starts_with("maxconn:")) {
    line.wish.max_connections = number(word.substr(8), kMostConnections);
    return line.wish.max_connections.has_value();
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<AgentLine> parse_agent_line(std::string_view text) {
  AgentLine line;
  size_t hash = std::min(text.find('#'), text.size());
  if (hash < text.size()) line.reason = printable(text.substr(hash + 1));
  text = text.substr(0, hash);
  constexpr std::string_view kSpace = " \t,";
  size_t words = 0;
  for (size_t begin = text.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
    std::string word = lower_case(text.substr(begin, end - begin));
    if (!read_word(word, line)) {
      return fail(fmt::format("the agent said '{}', which means nothing", printable(word)));
    }
    ++words;
    begin = text.find_first_not_of(kSpace, end);
  }
  if (words == 0) return fail("the agent said nothing");
  return line;
}

}  // namespace lb
