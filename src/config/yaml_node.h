// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "config/loader.h"

namespace lb::config {

// Where something stands in the file, both from 1. The column counts bytes; Problems turns it into
// characters when it reports.
struct Place {
  int line = 1;
  int column = 1;

  friend auto operator<=>(const Place&, const Place&) = default;
};

struct YamlEntry;

// A value of a YAML file and where it stands. Aliases are expanded, `<<` is merged, so that a tree
// is all there is. A key that was merged keeps the place where it is written. Plain data.
struct YamlNode {
  enum class Kind {
    null,     // nothing, `~` or `null`
    scalar,   // `text`, quoted or not
    list,     // `items`
    map,      // `entries`, each key once, in the order of the file
    invalid,  // a problem was reported here already
  };

  Kind kind = Kind::null;
  Place place;
  std::string text;
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;
  size_t nodes = 1;   // in this tree, keys included
  size_t height = 1;  // levels of this tree
};

struct YamlEntry {
  std::string key;
  Place place;
  YamlNode value;
};

struct YamlDocument {
  YamlNode root;
  std::vector<ConfigProblem> problems;  // duplicate keys, wrong `<<`: what reading goes on after
};

inline constexpr size_t kMaxYamlBytes = 1'048'576;
inline constexpr size_t kMaxYamlNodes = 200'000;  // keys and expanded aliases included
inline constexpr size_t kMaxYamlDepth = 64;

// Reads the one document of `text`. Fails with a single problem (columns in bytes) where the text
// is no YAML, is over a limit, or holds what a configuration has no use for: a second document,
// tags, keys that are not words.
Result<YamlDocument, ConfigProblem> parse_yaml(std::string_view text);

// The first thing in `text` that makes it no text to parse: size, encoding, control characters,
// tabs as indentation. yaml-cpp would take some of these in silence (byte 4 even ends its input).
Status<ConfigProblem> check_text(std::string_view text);

}  // namespace lb::config
