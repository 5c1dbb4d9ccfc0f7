// SPDX-License-Identifier: MIT
#include "config/problems.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/log.h"

namespace lb::config {

namespace {

constexpr size_t kQuotedBytes = 60;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

std::string printable(std::string text) {
  if (std::none_of(text.begin(), text.end(), is_control)) return text;
  std::string out;
  for (char c : text) {
    if (is_control(c)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

bool is_plain_key(std::string_view key) {
  auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (key == "<<") return true;
  return !key.empty() && key.size() <= 128 && std::all_of(key.begin(), key.end(), is_word);
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Turns the byte columns of sorted problems into columns of characters, in one pass over the text:
// thousands of problems may stand in one long line.
void count_characters(std::vector<ConfigProblem>& problems, std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  size_t line_begin = 0;
  size_t offset = 0;  // continuation bytes are counted up to here
  int line = 1;
  int continuations = 0;
  for (ConfigProblem& problem : problems) {
    while (line < problem.line) {
      size_t end = text.find('\n', line_begin);
      if (end == std::string_view::npos) return;
      line_begin = offset = end + 1;
      continuations = 0;
      ++line;
    }
    size_t target = std::min(line_begin + static_cast<size_t>(problem.column) - 1, text.size());
    for (; offset < target; ++offset) continuations += is_continuation(text[offset]) ? 1 : 0;
    problem.column -= continuations;
  }
}

std::vector<ConfigProblem> in_order(std::vector<ConfigProblem> problems, std::string_view text) {
  auto place = [](const ConfigProblem& p) { return std::tie(p.line, p.column); };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  auto same = [&](const ConfigProblem& a, const ConfigProblem& b) {
    return place(a) == place(b) && a.path == b.path && a.message == b.message;
  };
  problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
  count_characters(problems, text);
  return problems;
}

}  // namespace

std::string join_path(std::string_view path, std::string_view key) {
  std::string_view dot = path.empty() ? "" : ".";
  return fmt::format("{}{}{}", path, dot, is_plain_key(key) ? std::string(key) : quote(key));
}

std::string join_path(std::string_view path, size_t index) {
  return fmt::format("{}[{}]", path, index);
}

std::string quote(std::string_view text) {
  if (text.size() <= kQuotedBytes) return fmt::format("'{}'", text);
  size_t end = kQuotedBytes;
  while (end > 0 && is_continuation(text[end])) --end;
  return fmt::format("'{}...'", text.substr(0, end));
}

void Problems::error(Place place, std::string path, std::string message) {
  errors_.push_back(
      {place.line, place.column, printable(std::move(path)), printable(std::move(message))});
}

void Problems::warn(Place place, std::string path, std::string message) {
  warnings_.push_back(
      {place.line, place.column, printable(std::move(path)), printable(std::move(message))});
}

std::vector<ConfigProblem> Problems::take_errors(std::string_view text) {
  return in_order(std::exchange(errors_, {}), text);
}

std::vector<ConfigProblem> Problems::take_warnings(std::string_view text) {
  return in_order(std::exchange(warnings_, {}), text);
}

}  // namespace lb::config

namespace lb {

std::string ConfigProblem::to_string(std::string_view file) const {
  std::string_view colon = path.empty() ? "" : ": ";
  return fmt::format("{}:{}:{}: {}{}{}", file, line, column, path, colon, message);
}

}  // namespace lb
