// SPDX-License-Identifier: MIT
#include "config/section.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "config/suggest.h"

namespace lb::config {

namespace {

std::string_view kind_name(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
    case YamlNode::Kind::scalar:
      return "a single value";
    case YamlNode::Kind::null:
    case YamlNode::Kind::invalid:
      break;
  }
  return "empty";
}

bool has_control(std::string_view text) {
  auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return std::any_of(text.begin(), text.end(), is_control);
}

}  // namespace

Value::Value(const YamlNode& node, Problems& problems, std::string key, Place key_place,
             std::string path)
    : node_(&node),
      problems_(&problems),
      key_(std::move(key)),
      key_place_(key_place),
      path_(std::move(path)) {}

bool Value::is_off() const {
  return node_->kind == YamlNode::Kind::scalar && config::is_off(node_->text);
}

void Value::error(std::string message) const {
  problems_->error(place(), path_, std::move(message));
}

void Value::error_at_key(std::string message) const {
  problems_->error(key_place_, path_, std::move(message));
}

void Value::warn(std::string message) const {
  problems_->warn(place(), path_, std::move(message));
}

void Value::warn_at_key(std::string message) const {
  problems_->warn(key_place_, path_, std::move(message));
}

void Value::wrong_type(std::string_view expected) const {
  if (is_invalid()) return;
  error(fmt::format("must be {}, not {}", expected, kind_name(node_->kind)));
}

const std::string* Value::scalar_text(std::string_view expected, bool any_bytes) const {
  if (node_->kind != YamlNode::Kind::scalar) {
    wrong_type(expected);
    return nullptr;
  }
  if (!any_bytes && has_control(node_->text)) {
    error(fmt::format("{} holds a line break or another control character; it must be {}",
                      quote(node_->text), expected));
    return nullptr;
  }
  return &node_->text;
}

std::vector<Value> Value::entries() const {
  if (!is_map()) {
    if (!is_null()) wrong_type("a map");
    return {};
  }
  std::vector<Value> values;
  values.reserve(node_->entries.size());
  for (const YamlEntry& entry : node_->entries) {
    values.push_back(
        Value(entry.value, *problems_, entry.key, entry.place, join_path(path_, entry.key)));
  }
  return values;
}

std::vector<Value> Value::items(std::string_view what) const {
  if (!is_list() || node_->items.empty()) {
    if (is_list()) {
      error(fmt::format("must be a list of {}, not an empty one", what));
    } else {
      wrong_type(fmt::format("a list of {}", what));
    }
    return {};
  }
  std::vector<Value> values;
  values.reserve(node_->items.size());
  for (size_t i = 0; i < node_->items.size(); ++i) {
    const YamlNode& item = node_->items[i];
    values.push_back(Value(item, *problems_, "", item.place, join_path(path_, i)));
  }
  return values;
}

std::vector<Value> Value::one_or_more(std::string_view what) const {
  if (node_->kind == YamlNode::Kind::scalar) return {*this};
  return items(what);
}

Section::Section(const Value& map)
    : map_(map), is_readable_(map.is_map() || map.is_null()), entries_(map.entries()) {
  taken_.resize(entries_.size());
}

Section::~Section() {
  if (!is_readable_) return;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!taken_[i]) report_unknown(entries_[i]);
  }
  for (const Missing& missing : missing_) {
    map_.error_at_key(fmt::format("'{}' is missing: {}", missing.key, missing.why));
  }
}

void Section::report_unknown(const Value& value) {
  std::string_view meant = closest(value.key(), known_);
  if (meant.empty()) {
    value.error_at_key(fmt::format("unknown key; the keys here are {}", fmt::join(known_, ", ")));
    return;
  }
  value.error_at_key(fmt::format("unknown key; did you mean '{}'?", meant));
  std::erase_if(missing_, [&](const Missing& missing) { return missing.key == meant; });
}

bool Section::has(std::string_view key) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Value& entry) { return entry.key() == key; });
}

std::optional<Value> Section::take(std::string_view key) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].key() != key) continue;
    taken_[i] = true;
    return entries_[i];
  }
  return {};
}

std::optional<Value> Section::find(std::string_view key) {
  known_.push_back(key);
  return take(key);
}

std::optional<Value> Section::require(std::string_view key, std::string_view why) {
  auto value = find(key);
  if (!value) missing_.push_back({key, why});
  return value;
}

void Section::not_built(const std::vector<std::string_view>& keys) {
  for (std::string_view key : keys) {
    auto value = take(key);
    if (!value || value->is_off()) continue;
    value->error_at_key(fmt::format("{}; remove the key or set it to off", kNotBuilt));
  }
}

void Section::does_not_apply(const std::vector<std::string_view>& keys, std::string_view why) {
  for (std::string_view key : keys) {
    if (auto value = take(key)) value->error_at_key(fmt::format("does not apply: {}", why));
  }
}

void Section::applies_only_as_off(const std::vector<std::string_view>& keys, std::string_view why) {
  for (std::string_view key : keys) {
    auto value = take(key);
    if (value && !value->is_off()) value->error_at_key(fmt::format("does not apply: {}", why));
  }
}

void Section::reserved(const std::vector<std::string_view>& keys) {
  for (std::string_view key : keys) {
    if (auto value = take(key)) {
      value->error_at_key("reserved for a later version; remove the key");
    }
  }
}

void Section::ignore(const std::vector<std::string_view>& keys) {
  for (std::string_view key : keys) take(key);
}

}  // namespace lb::config
