// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/log.h"
#include "config/yaml_node.h"

namespace lb::config {

namespace {

// The length of the UTF-8 sequence at the start of `text` (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF), or 0.
size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    bool overlong = first == 0xE0 && byte(1) < 0xA0;
    bool surrogate = first == 0xED && byte(1) > 0x9F;
    return !overlong && !surrogate && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    bool overlong = first == 0xF0 && byte(1) < 0x90;
    bool too_large = first == 0xF4 && byte(1) > 0x8F;
    return !overlong && !too_large && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

std::string control_character(std::string_view rest) {
  unsigned char c = static_cast<unsigned char>(rest.front());
  if (c == '\0')
    return "a NUL byte; this is not a text file (UTF-16 is not read, save it as UTF-8)";
  if (c == '\r') return "a carriage return inside a line; lines end with LF or CR LF";
  return fmt::format("a control character (byte 0x{:02x}); write \"\\x{:02x}\" in double quotes", c,
                     c);
}

// What is wrong with the character at the start of `rest`; sets `length` to its bytes.
std::string character_problem(std::string_view rest, size_t& length) {
  length = utf8_length(rest);
  if (length == 0) {
    return fmt::format("byte 0x{:02x} is not UTF-8; save the file as UTF-8",
                       static_cast<unsigned char>(rest.front()));
  }
  unsigned char c = static_cast<unsigned char>(rest.front());
  if (c == '\t' || c == '\n' || (c >= 0x20 && c != 0x7F)) return "";
  return control_character(rest);
}

Status<ConfigProblem> check_line(std::string_view line, int number) {
  size_t indent = std::min(line.find_first_not_of(" \t"), line.size());
  size_t tab = line.substr(0, indent).find('\t');
  bool has_content = indent < line.size() && line[indent] != '#' && line[indent] != '\r';
  for (size_t i = 0, length = 1; i < line.size(); i += length) {
    // The CR before the LF that ended this line is the one that may stand.
    if (line[i] == '\r' && i + 1 == line.size()) break;
    std::string problem = character_problem(line.substr(i), length);
    if (!problem.empty()) {
      return Unexpected{ConfigProblem{number, static_cast<int>(i) + 1, "", std::move(problem)}};
    }
  }
  if (has_content && tab != std::string_view::npos) {
    return Unexpected{ConfigProblem{number, static_cast<int>(tab) + 1, "",
                                    "a tab in the indentation; YAML is indented with spaces"}};
  }
  return Done{};
}

}  // namespace

Status<ConfigProblem> check_text(std::string_view text) {
  if (text.size() > kMaxYamlBytes) {
    return Unexpected{ConfigProblem{1, 1, "", "the file is larger than 1 MiB"}};
  }
  int number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    size_t end = std::min(text.find('\n', begin), text.size());
    auto status = check_line(text.substr(begin, end - begin), number);
    if (!status) return status;
    begin = end + 1;
  }
  return Done{};
}

}  // namespace lb::config
