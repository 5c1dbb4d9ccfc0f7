// SPDX-License-Identifier: MIT
#include "config/protected_keys.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "common/log.h"
#include "config/problems.h"

namespace lb::config {

namespace {

constexpr std::array<std::string_view, 9> kProtectedKeys = {
    "command", "user", "certificate", "key", "ocsp", "ca", "ticket_keys", "file", "state_file"};
// Maps whose keys are names that the user chose.
constexpr std::array<std::string_view, 7> kMapsOfNames = {"header", "query", "claims", "set",
                                                          "add",    "split", "headers"};
constexpr std::array<std::string_view, 3> kTopMapsOfNames = {"listeners", "pools", "jwt"};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// `parent` is the key of the map that `key` stands in, `depth` how many keys stand above.
bool is_protected(std::string_view key, const YamlNode& value, std::string_view parent,
                  size_t depth) {
  if (depth == 0) return key == "admin";
  if (depth == 1 && contains(kTopMapsOfNames, parent)) return false;
  if (contains(kMapsOfNames, parent)) return false;
  if (key == "key" && parent == "limits") return false;  // what a route's limit counts by
  if (key == "output") return value.text.starts_with('/');
  return contains(kProtectedKeys, key) || key.ends_with("_file");
}

template <typename Node>
class Collector {
 public:
  void visit(Node& node, const std::string& path, const std::string& place, std::string_view key,
             size_t depth) {
    for (size_t i = 0; i < node.items.size(); ++i) {
      visit(node.items[i], join_path(path, i), place + "[]", key, depth);
    }
    for (auto& entry : node.entries) {
      std::string entry_path = join_path(path, entry.key);
      std::string entry_place = join_path(place, entry.key);
      if (is_protected(entry.key, entry.value, key, depth)) {
        found.push_back({&entry.value, std::move(entry_path), std::move(entry_place)});
      } else {
        // What somebody called a listener says nothing of the keys below it.
        bool is_name = depth == 1 && contains(kTopMapsOfNames, key);
        visit(entry.value, entry_path, entry_place, is_name ? "" : entry.key, depth + 1);
      }
    }
  }
  std::vector<ProtectedValue<Node>> found;
};

template <typename Node>
std::vector<ProtectedValue<Node>> collect(Node& root) {
  Collector<Node> collector;
  collector.visit(root, "", "", "", 0);
  return std::move(collector.found);
}

const YamlNode* find_entry(const YamlNode& map, std::string_view key) {
  auto entry = std::find_if(map.entries.begin(), map.entries.end(),
                            [&](const YamlEntry& one) { return one.key == key; });
  return entry == map.entries.end() ? nullptr : &entry->value;
}

// Where the first of two trees differs from the second (which has two forms); nothing where they
// are the same. Maps may be in another order.
std::optional<std::string> difference(const YamlNode& sent, const YamlNode& written,
                                      const YamlNode& expanded, const std::string& path) {
  if (sent.kind == YamlNode::Kind::scalar && sent.text == kHidden) return {};
  if (sent.kind != expanded.kind) return path;
  if (sent.text != written.text && sent.text != expanded.text) return path;
  for (size_t i = 0; i < sent.items.size() || i < expanded.items.size(); ++i) {
    std::string item_path = join_path(path, i);
    if (i >= sent.items.size() || i >= expanded.items.size()) return item_path;
    auto found = difference(sent.items[i], written.items[i], expanded.items[i], item_path);
    if (found) return found;
  }
  for (const YamlEntry& entry : sent.entries) {
    std::string entry_path = join_path(path, entry.key);
    const YamlNode* in_file = find_entry(expanded, entry.key);
    if (in_file == nullptr) return entry_path;
    auto found = difference(entry.value, *find_entry(written, entry.key), *in_file, entry_path);
    if (found) return found;
  }
  for (const YamlEntry& entry : expanded.entries) {
    if (find_entry(sent, entry.key) == nullptr) return join_path(path, entry.key);
  }
  return {};
}

// Whether the listener, pool or verifier that a value of the file belongs to was sent too.
bool is_sent(const std::string& path, const YamlNode& sent) {
  for (std::string_view section : kTopMapsOfNames) {
    std::string begin = std::string(section) + ".";
    if (!path.starts_with(begin)) continue;
    const YamlNode* map = find_entry(sent, section);
    if (map == nullptr) return false;
    // A name may hold dots itself.
    return std::any_of(map->entries.begin(), map->entries.end(), [&](const YamlEntry& entry) {
      return path.starts_with(begin + entry.key + ".") || path.starts_with(begin + entry.key + "[");
    });
  }
  return true;
}

Unexpected<ForbiddenChange> forbidden(std::string path, std::string_view what,
                                      bool is_missing = false) {
  return {
      ForbiddenChange{std::move(path),
                      fmt::format("{}; commands, files, users and the admin section are set by the "
                                  "configuration file alone",
                                  what),
                      is_missing}};
}

void put(YamlNode& into, const YamlNode& value) {
  Place place = into.place;
  into = value;
  into.place = place;
}

}  // namespace

std::vector<ProtectedValue<YamlNode>> protected_values(YamlNode& root) {
  return collect(root);
}

std::vector<ProtectedValue<const YamlNode>> protected_values(const YamlNode& root) {
  return collect(root);
}

Status<ForbiddenChange> take_protected_values(YamlNode& sent_written, YamlNode& sent_expanded,
                                              const YamlNode& written, const YamlNode& expanded) {
  struct InFile {
    const YamlNode* written;
    const YamlNode* expanded;
    std::string path;
  };
  std::map<std::string, std::vector<InFile>> in_file;
  auto from_written = protected_values(written);
  auto from_expanded = protected_values(expanded);
  // `output` alone depends on its value: one that an environment variable makes a path is left out.
  for (auto& one : from_expanded) {
    auto same = std::find_if(from_written.begin(), from_written.end(),
                             [&](const auto& other) { return other.path == one.path; });
    const YamlNode* as_written = same == from_written.end() ? one.node : same->node;
    if (is_sent(one.path, sent_written)) {
      in_file[one.place].push_back({as_written, one.node, one.path});
    }
  }
  auto sent = protected_values(sent_written);
  auto sent_too = protected_values(sent_expanded);
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < sent.size(); ++i) {
    auto& values = in_file[sent[i].place];
    size_t index = seen[sent[i].place]++;
    if (index >= values.size()) {
      return forbidden(sent[i].path, "the file has no such key");
    }
    const InFile& own = values[index];
    auto differs = difference(*sent[i].node, *own.written, *own.expanded, sent[i].path);
    if (differs) return forbidden(*differs, "is not as in the file");
    put(*sent_too[i].node, *own.expanded);
    put(*sent[i].node, *own.written);
  }
  for (const auto& [place, values] : in_file) {
    size_t index = seen[place];
    if (index < values.size()) {
      return forbidden(values[index].path, "is missing here and set in the file", true);
    }
  }
  return Done{};
}

bool is_secret(std::string_view key, const YamlNode& value) {
  if (value.kind != YamlNode::Kind::scalar) return false;
  if (key == "token" || key == "password" || key == "secret") return true;
  // A URL with a login.
  return value.text.find("://") != std::string::npos && value.text.find('@') != std::string::npos;
}

}  // namespace lb::config
