// SPDX-License-Identifier: MIT
#include "config/document.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/hash.h"
#include "config/load_tree.h"
#include "config/loader.h"
#include "config/problems.h"
#include "config/protected_keys.h"
#include "config/yaml_node.h"

namespace lb {

namespace config {

namespace {

constexpr size_t kExactDigits = 15;  // of a number that every JSON reader takes as it is

// A whole number in the one way in which JSON writes it, so that reading it yields the same text.
bool is_number(std::string_view text) {
  std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits.size() > kExactDigits) return false;
  if (digits.front() == '0' && text != "0") return false;
  return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Json scalar_to_json(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  if (is_number(text)) return std::stoll(text);
  return text;
}

Json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::scalar:
      return scalar_to_json(node.text);
    case YamlNode::Kind::list: {
      Json list = Json::array();
      for (const YamlNode& item : node.items) list.push_back(to_json(item));
      return list;
    }
    case YamlNode::Kind::map: {
      Json map = Json::object();
      for (const YamlEntry& entry : node.entries) map[entry.key] = to_json(entry.value);
      return map;
    }
    case YamlNode::Kind::null:
    case YamlNode::Kind::invalid:
      break;
  }
  return nullptr;
}

void hide(YamlNode& node) {
  node = YamlNode{};
  node.kind = YamlNode::Kind::scalar;
  node.text = kHidden;
}

void hide_secrets(YamlNode& node) {
  for (YamlNode& item : node.items) hide_secrets(item);
  for (YamlEntry& entry : node.entries) {
    if (is_secret(entry.key, entry.value)) {
      hide(entry.value);
    } else {
      hide_secrets(entry.value);
    }
  }
}

// What stands at the same path in the running configuration.
const YamlNode* at(const YamlNode* running, std::string_view key) {
  if (running == nullptr) return nullptr;
  auto entry = std::find_if(running->entries.begin(), running->entries.end(),
                            [&](const YamlEntry& one) { return one.key == key; });
  return entry == running->entries.end() ? nullptr : &entry->value;
}

void keep_secrets(YamlNode& node, const YamlNode* running, const std::string& path,
                  Problems& problems) {
  for (size_t i = 0; i < node.items.size(); ++i) {
    bool has_item = running != nullptr && i < running->items.size();
    keep_secrets(node.items[i], has_item ? &running->items[i] : nullptr, join_path(path, i),
                 problems);
  }
  for (YamlEntry& entry : node.entries) {
    const YamlNode* value = at(running, entry.key);
    std::string entry_path = join_path(path, entry.key);
    bool is_hidden = entry.value.kind == YamlNode::Kind::scalar && entry.value.text == kHidden;
    if (!is_hidden) {
      keep_secrets(entry.value, value, entry_path, problems);
    } else if (value != nullptr && is_secret(entry.key, *value)) {
      entry.value.text = value->text;
    } else {
      problems.error(entry.value.place, entry_path,
                     "'***' stands for the running value, and there is no secret here");
    }
  }
}

// Tabs are white space in JSON and an error between the keys of YAML.
std::string without_tabs(std::string_view text) {
  std::string copy(text);
  size_t first = copy.find_first_not_of(" \t\r\n");
  bool is_json = first != std::string::npos && copy[first] == '{';
  if (is_json) std::replace(copy.begin(), copy.end(), '\t', ' ');
  return copy;
}

}  // namespace

}  // namespace config

ConfigDocument::ConfigDocument(config::YamlNode written, config::YamlNode expanded)
    : written_(std::make_shared<const config::YamlNode>(std::move(written))),
      expanded_(std::make_shared<const config::YamlNode>(std::move(expanded))),
      fingerprint_(hash64(to_text(config::to_json(*expanded_)))) {}

Json ConfigDocument::shown() const {
  config::YamlNode tree = *expanded_;
  auto values = config::protected_values(tree);
  auto written = config::protected_values(*written_);
  for (auto& value : values) {
    auto same = std::find_if(written.begin(), written.end(),
                             [&](const auto& other) { return other.path == value.path; });
    if (same != written.end()) *value.node = *same->node;
  }
  config::hide_secrets(tree);
  return config::to_json(tree);
}

std::string ConfigDocument::to_store() const {
  config::YamlNode tree = *expanded_;
  for (auto& value : config::protected_values(tree)) config::hide(*value.node);
  return to_text(config::to_json(tree));
}

Result<LoadedConfig, SentConfigError> load_sent(std::string_view text, const ConfigDocument& file,
                                                const ConfigDocument& running,
                                                const std::filesystem::path& directory,
                                                const TlsInspector* tls) {
  std::string source = config::without_tabs(text);
  auto document = config::parse_tree(source);
  if (!document) {
    return Unexpected{SentConfigError{false, "", "", std::move(document.error())}};
  }
  config::Problems problems;
  config::report(document->problems, problems);
  config::YamlNode written = document->root;
  config::YamlNode expanded = std::move(document->root);
  auto taken = config::take_protected_values(written, expanded, file.written(), file.expanded());
  // No file that somebody else names is looked at.
  auto is_forbidden = [&] {
    return Unexpected{SentConfigError{true, taken.error().path, taken.error().message, {}}};
  };
  if (!taken && !taken.error().is_missing) return is_forbidden();
  config::keep_secrets(expanded, &running.expanded(), "", problems);
  auto loaded = config::load_tree(expanded, source, problems, directory, tls);
  if (!loaded) return Unexpected{SentConfigError{false, "", "", std::move(loaded.error())}};
  if (!taken) return is_forbidden();
  loaded->document = ConfigDocument(std::move(written), std::move(expanded));
  return std::move(*loaded);
}

}  // namespace lb
