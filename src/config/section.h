// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problems.h"
#include "config/scalar.h"
#include "config/yaml_node.h"

namespace lb::config {

// A value of the file together with its key and path: what the readers of sections take, and where
// they complain. Borrows the tree; cheap to copy.
class Value {
 public:
  // The root of a file.
  Value(const YamlNode& root, Problems& problems) : node_(&root), problems_(&problems) {}

  const std::string& key() const { return key_; }  // "" for the root and for items of lists
  const std::string& path() const { return path_; }
  Place place() const { return node_->place; }
  Place key_place() const { return key_place_; }  // of an item of a list: its own

  bool is_null() const { return node_->kind == YamlNode::Kind::null; }
  bool is_map() const { return node_->kind == YamlNode::Kind::map; }
  bool is_list() const { return node_->kind == YamlNode::Kind::list; }
  bool is_empty_list() const { return is_list() && node_->items.empty(); }
  bool is_invalid() const { return node_->kind == YamlNode::Kind::invalid; }
  bool is_off() const;

  void error(std::string message) const;
  void error_at_key(std::string message) const;
  void warn(std::string message) const;
  void warn_at_key(std::string message) const;
  // "must be EXPECTED, not a list"; nothing where a problem was reported already.
  void wrong_type(std::string_view expected) const;

  // The value as `scalar` reads it, or nothing after an error.
  template <typename T>
  std::optional<T> as(const Scalar<T>& scalar) const {
    const std::string* text = scalar_text(scalar.expected, scalar.any_bytes);
    if (text == nullptr) return {};
    auto value = scalar.parse(*text);
    if (value) return std::move(*value);
    error(value.error().message);
    return {};
  }

  // The values of a map, each with its key. An error where it is none; nothing where it is null.
  std::vector<Value> entries() const;
  // The items of a list. An error where it is none or holds none. "must be a list of WHAT".
  std::vector<Value> items(std::string_view what) const;
  // The same, a single scalar being a list of one.
  std::vector<Value> one_or_more(std::string_view what) const;

 private:
  Value(const YamlNode& node, Problems& problems, std::string key, Place key_place,
        std::string path);
  const std::string* scalar_text(std::string_view expected, bool any_bytes) const;

  const YamlNode* node_;
  Problems* problems_;
  std::string key_;
  Place key_place_;
  std::string path_;
};

// A map with fixed keys, read key by key. What was not asked for when the Section ends is an
// unknown key; what was required and is not there is missing. Where the value is no map it
// complains once and holds nothing; null is an empty map, so that a section may be commented out
// line by line.
class Section {
 public:
  explicit Section(const Value& map);
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  ~Section();

  bool has(std::string_view key) const;
  std::optional<Value> find(std::string_view key);
  // `why` ends the sentence "'key' is missing: ".
  std::optional<Value> require(std::string_view key, std::string_view why);

  // Puts a value into `out`, which keeps its default where the key is absent or wrong.
  template <typename T, typename U>
  void read(std::string_view key, U& out, const Scalar<T>& scalar) {
    auto value = find(key);
    if (!value) return;
    if (auto parsed = value->as(scalar)) out = std::move(*parsed);
  }

  // Keys of later versions: an error unless they are `off`.
  void not_built(const std::vector<std::string_view>& keys);
  // Keys that make no sense here: an error "does not apply: WHY".
  void does_not_apply(const std::vector<std::string_view>& keys, std::string_view why);
  // The same for keys whose default is `off`, which may say so.
  void applies_only_as_off(const std::vector<std::string_view>& keys, std::string_view why);
  // Keys that must not be used yet, not even as `off`.
  void reserved(const std::vector<std::string_view>& keys);
  // Keys passed over because what they depend on is wrong already.
  void ignore(const std::vector<std::string_view>& keys);

 private:
  struct Missing {
    std::string_view key;
    std::string_view why;
  };

  std::optional<Value> take(std::string_view key);
  void report_unknown(const Value& value);

  Value map_;
  bool is_readable_;
  std::vector<Value> entries_;
  std::vector<bool> taken_;
  std::vector<std::string_view> known_;  // literals of the callers
  std::vector<Missing> missing_;
};

}  // namespace lb::config
