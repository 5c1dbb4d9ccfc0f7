// SPDX-License-Identifier: MIT
// Files that are no YAML, or none that a configuration may use.
#include "broken_files.h"

namespace lb::config {

namespace {

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// Each line stands for ten of the line above.
std::string many_laughs() {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    std::string name = "a" + std::to_string(i);
    std::string inner = "*a" + std::to_string(i - 1);
    yaml += name + ": &" + name + " [" + inner + repeated(", " + inner, 9) + "]\n";
  }
  return yaml;
}

std::string nul(std::string before, const std::string& after) {
  before.push_back('\0');
  return before + after;
}

}  // namespace

std::vector<BrokenFile> broken_yaml() {
  return {
      // Nothing there.
      {"", 1, 1, "", "the file is empty"},
      {"\n\n", 1, 1, "", "the file is empty"},
      {"# only a comment\n", 1, 1, "", "the file is empty"},
      {"---\n", 1, 1, "", "the file is empty"},
      {"~\n", 1, 1, "", "the file is empty"},
      // Another thing than a map.
      {"just words\n", 1, 1, "", "must be a map, not a single value"},
      {"- a\n- b\n", 1, 1, "", "must be a map, not a list"},
      {"[]", 1, 1, "", "must be a map, not a list"},
      {"%PDF-1.4\n", 1, 1, "", "the file is empty"},
      {"<html>\n", 1, 1, "", "must be a map"},
      // Bytes.
      {nul("listeners:\n  a", "b: 1\n"), 2, 4, "", "NUL byte"},
      {"listeners:\n  \xff: 1\n", 2, 3, "", "byte 0xff is not UTF-8"},
      {"\xff\xfel\0i\0", 1, 1, "", "not UTF-8"},
      {"a: \xc0\x80\n", 1, 4, "", "not UTF-8"},
      {"a: \xed\xa0\x80\n", 1, 4, "", "not UTF-8"},
      {"a: \xf4\x90\x80\x80\n", 1, 4, "", "not UTF-8"},
      {"a: \xe2\x82", 1, 4, "", "not UTF-8"},
      {"# \xc3\xa9\xc3\xa9 \xff\n", 1, 6, "", "not UTF-8"},
      {"a: 1 \x04\nb: 2\n", 1, 6, "", "control character (byte 0x04)"},
      {"a: \x1b[31mred\n", 1, 4, "", "control character (byte 0x1b)"},
      {"a: 1\rb: 2\n", 1, 5, "", "carriage return inside a line"},
      {"listeners:\n\ta:\n", 2, 1, "", "a tab in the indentation"},
      {"listeners:\n  \ta: 1\n", 2, 3, "", "a tab in the indentation"},
      {repeated("# comment\n", 110'000), 1, 1, "", "larger than 1 MiB"},
      // Syntax.
      {"listeners: [1, 2\n", 2, 1, "", "']' or ',' is missing"},
      {"listeners: {a: 1\n", 2, 1, "", "'}' or ',' is missing"},
      {"listeners: {a: 1}}\n", 1, 18, "", "a bracket closes here"},
      {"listeners: 'abc\npools: x\n", 1, 12, "", "the quote that opens here is never closed"},
      {"listeners: \"abc\n", 1, 12, "", "the quote that opens here is never closed"},
      {"listeners: &x \"abc\\\"\n", 1, 12, "", "never closed"},
      {"listeners: 'it''s\n", 1, 12, "", "never closed"},
      {"listeners: \"\\q\"\n", 1, 15, "", "unknown escape character"},
      {"log: level: info\n", 1, 11, "", "':' is not expected here"},
      {"log\nlisteners: x\n", 2, 10, "", "the line above lacks its ':'"},
      {"log:\n  level: info\n format: text\n", 3, 2, "", "indentation does not fit"},
      {" log: x\nlisteners: y\n", 2, 1, "", "check the indentation"},
      {"log:\n  - a\n  b: c\n", 3, 3, "", "indentation does not fit"},
      {"log: - a\n", 1, 6, "", "'-' is not expected here"},
      {"log: @here\n", 1, 6, "", "cannot begin with this character"},
      {"log: `here`\n", 1, 6, "", "cannot begin with this character"},
      {"log: %here\n", 1, 6, "", "cannot begin with this character"},
      {"log: {level: ${LEVEL}}\n", 1, 15, "", "must be quoted"},
      {"log: [x]y\n", 1, 9, "", "not valid YAML"},
      {"%YAML 3.0\n---\na: 1\n", 1, 1, "", "not valid YAML"},
      // What YAML has and a configuration has no use for.
      {"log: {}\n---\nlog: {}\n", 2, 1, "", "a second YAML document"},
      {"log: !!str info\n", 1, 6, "", "YAML tags"},
      {"log: !env LEVEL\n", 1, 6, "", "YAML tags"},
      {"log: !map {a: b}\n", 1, 6, "", "YAML tags"},
      {"[a, b]: c\n", 1, 1, "", "a key must be a single word"},
      {"? {a: b}\n: c\n", 1, 3, "", "a key must be a single word"},
      {": x\n", 1, 1, "", "a key is missing"},
      {"~: x\n", 1, 1, "", "a key is missing"},
      {"a: &x b\n*x : c\n", 2, 1, "", "a key cannot be an alias"},
      {"log: *nowhere\n", 1, 6, "", "no anchor of this name"},
      {"log: &x [*x]\n", 1, 10, "", "inside the value of its own anchor"},
      {"log: &x {a: {b: *x}}\n", 1, 17, "", "inside the value of its own anchor"},
      // Limits.
      {many_laughs(), 6, 10, "", "more than 200,000 values"},
      {"a: [" + repeated("x,", 200'000) + "]\n", 1, 399'999, "", "more than 200,000 values"},
      {repeated("[", 200) + repeated("]", 200), 1, 65, "", "nested more than 64 levels"},
      {repeated("[", 100'000), 1, 1, "", "a key must be a single word"},
      {repeated("- ", 1'000), 1, 129, "", "nested more than 64 levels"},
      {"a: " + repeated("{b: ", 500), 1, 256, "", "nested more than 64 levels"},
      // Duplicate keys, merges.
      {with_section("log: {}\nlog: {}"), 4, 1, "log", "duplicate key; it stands in line 3"},
      {with_section("pools: {}"), 3, 1, "pools", "duplicate key; it stands in line 2"},
      {with_section("log: {level: info, level: error}"), 3, 20, "log.level", "duplicate key"},
      {with_section("log: {level: info, \"level\": error}"), 3, 20, "log.level", "duplicate key"},
      {with_listener("pool: db"), 6, 5, "listeners.a.pool", "it stands in line 5 already"},
      {with_servers("[{address: a:1}, {address: b:1, address: c:1}]"), 4, 46,
       "pools.db.servers[1].address", "duplicate key"},
      {with_section("log:\n  <<: text"), 4, 7, "log.<<", "'<<' merges a map"},
      {with_section("log:\n  <<: [a, b]"), 4, 7, "log.<<", "'<<' merges a map"},
      {with_section("log:\n  <<: {}\n  <<: {}"), 5, 3, "log.<<", "duplicate key"},
      {with_section("log: {\"<<\": {}}"), 3, 7, "log.<<", "unknown key"},
      {with_section("log: {<<: {levle: info}}"), 3, 12, "log.levle", "did you mean 'level'?"},
      // Environment.
      {with_section("log: {level: \"${LB_TEST_UNSET}\"}"), 3, 14, "log.level",
       "LB_TEST_UNSET is not set"},
      {with_section("log: {level: \"${}\"}"), 3, 14, "log.level", "names no environment variable"},
      {with_section("log: {level: \"${1X}\"}"), 3, 14, "log.level",
       "names no environment variable"},
      {with_section("log: {level: \"${A B}\"}"), 3, 14, "log.level", "no environment variable"},
      {with_section("log: {level: \"${A-b}\"}"), 3, 14, "log.level", "no environment variable"},
      {with_section("log: {level: \"x${OPEN\"}"), 3, 14, "log.level", "'${' without its '}'"},
      {with_section("log:\n  level: ${LB_TEST_UNSET:-loud}"), 4, 10, "log.level",
       "'loud' is not one of"},
      {with_section("log:\n  level: $${LB_TEST_UNSET}"), 4, 10, "log.level",
       "'${LB_TEST_UNSET}' is not one of"},
  };
}

}  // namespace lb::config
