// SPDX-License-Identifier: MIT
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "common/log.h"
#include "config/problems.h"
#include "config/yaml_node.h"

namespace lb::config {

namespace {

// Ends the parse: yaml-cpp's event interface has no other way out.
struct Stop {
  ConfigProblem problem;
};

[[noreturn]] void stop(Place place, std::string message) {
  throw Stop{{place.line, place.column, "", std::move(message)}};
}

Place to_place(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

// Adds `value` to the sums that its parent keeps.
void count_child(YamlNode& parent, const YamlNode& value) {
  parent.nodes += value.nodes;
  parent.height = std::max(parent.height, value.height + 1);
}

// The text by line and by offset, for what yaml-cpp's marks do not tell.
class Source {
 public:
  explicit Source(std::string_view text) : text_(text) {
    for (size_t begin = 0; begin <= text.size();) {
      size_t end = std::min(text.find('\n', begin), text.size());
      lines_.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  std::string_view rest_of_line(Place place) const {
    std::string_view line = this->line(place.line);
    return line.substr(std::min(line.size(), static_cast<size_t>(place.column) - 1));
  }

  std::string_view line(int number) const {
    size_t index = static_cast<size_t>(number) - 1;
    return index < lines_.size() ? lines_[index] : std::string_view();
  }

  // An empty list item is reported by yaml-cpp at the token after it, lines further down. Between
  // stand only blank lines and comments.
  Place dash_before(Place place) const {
    for (int number = place.line - 1; number >= 1; --number) {
      std::string_view content = line(number);
      size_t comment = std::min(content.find(" #"), content.size());
      size_t last = content.substr(0, comment).find_last_not_of(" \t\r");
      if (last == std::string_view::npos || content[content.find_first_not_of(" \t")] == '#') {
        continue;
      }
      return {number, static_cast<int>(last) + 1};
    }
    return place;
  }

  // yaml-cpp 0.7 takes the end of the file for a closing quote. `offset` is where the value begins,
  // its anchor included.
  bool quote_is_closed(size_t offset) const {
    size_t open = text_.find_first_of("\"'|>", skip_anchor(offset));
    if (open == std::string_view::npos) return true;
    char quote = text_[open];
    if (quote != '"' && quote != '\'') return true;
    for (size_t i = open + 1; i < text_.size(); ++i) {
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        bool doubled = quote == '\'' && i + 1 < text_.size() && text_[i + 1] == quote;
        if (!doubled) return true;
        ++i;
      }
    }
    return false;
  }

 private:
  size_t skip_anchor(size_t offset) const {
    if (offset >= text_.size() || text_[offset] != '&') return offset;
    size_t i = std::min(text_.find_first_of(" \t\r\n", offset), text_.size());
    while (i < text_.size() && (std::string_view(" \t\r\n#").find(text_[i]) != std::string::npos)) {
      i = text_[i] == '#' ? std::min(text_.find('\n', i), text_.size()) : i + 1;
    }
    return i;
  }

  std::string_view text_;
  std::vector<std::string_view> lines_;
};

// Builds the tree from yaml-cpp's events.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Source& source) : source_(source) {}

  YamlDocument take() { return {std::move(root_), std::move(problems_)}; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    Place place = to_place(mark);
    if (source_.rest_of_line(place).starts_with("---")) {
      stop(place, "a second YAML document; a configuration is one document");
    }
    stop(place,
         "not valid YAML: this line does not belong to what stands above; check the "
         "indentation");
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark&, const std::string&) override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.place = null_place(to_place(mark));
    add(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.place = to_place(mark);
    refuse_tag(node.place, tag);
    bool quoted = tag == "!";
    if (quoted && !source_.quote_is_closed(static_cast<size_t>(mark.pos))) {
      stop(node.place, "not valid YAML: the quote that opens here is never closed");
    }
    node.text = value;
    is_merge_key_ = !quoted && value == "<<";
    add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Place place = to_place(mark);
    auto found = anchored_.find(anchor);
    if (found == anchored_.end()) stop(place, "an alias inside the value of its own anchor");
    if (expects_key()) stop(place, "a key cannot be an alias");
    // Counted before it is copied: a tree of aliases to aliases doubles with every line.
    count(place, found->second.nodes);
    check_depth(place, found->second.height);
    YamlNode node = found->second;
    node.place = place;
    attach(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(YamlNode::Kind::list, to_place(mark), tag, anchor, style);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(YamlNode::Kind::map, to_place(mark), tag, anchor, style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    settle_keys(stack_.back().node);
    close();
  }

 private:
  // A list or map that is not complete yet.
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    bool flow = false;
    bool has_key = false;         // the last entry of a map still waits for its value
    std::optional<size_t> merge;  // the entry whose key is a plain `<<`
  };

  bool expects_key() const {
    return !stack_.empty() && stack_.back().node.kind == YamlNode::Kind::map &&
           !stack_.back().has_key;
  }

  void count(Place place, size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kMaxYamlNodes) {
      stop(place, "more than 200,000 values, what aliases stand for included");
    }
  }

  void check_depth(Place place, size_t height) const {
    if (stack_.size() + height > kMaxYamlDepth) {
      stop(place, fmt::format("nested more than {} levels deep", kMaxYamlDepth));
    }
  }

  static void refuse_tag(Place place, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    stop(place,
         "YAML tags (a word that begins with '!') have no meaning here; quote the value if "
         "the '!' belongs to it");
  }

  // Where a value that is not there belongs: yaml-cpp gives the place of the next token.
  Place null_place(Place place) const {
    if (stack_.empty()) return place;
    const Open& top = stack_.back();
    if (top.node.kind == YamlNode::Kind::map) {
      if (!top.has_key) return place;
      Place key = top.node.entries.back().place;
      return place.line == key.line && place.column > key.column ? place : key;
    }
    std::string_view rest = source_.rest_of_line(place);
    bool is_written = rest.starts_with('~') || rest.starts_with("null") ||
                      rest.starts_with("Null") || rest.starts_with("NULL") || rest.starts_with('&');
    return top.flow || is_written ? place : source_.dash_before(place);
  }

  void open(YamlNode::Kind kind, Place place, const std::string& tag, YAML::anchor_t anchor,
            YAML::EmitterStyle::value style) {
    refuse_tag(place, tag);
    if (expects_key()) stop(place, "a key must be a single word, not a list or a map");
    check_depth(place, 1);
    count(place, 1);
    Open opened;
    opened.node.kind = kind;
    opened.node.place = place;
    opened.anchor = anchor;
    opened.flow = style == YAML::EmitterStyle::Flow;
    stack_.push_back(std::move(opened));
  }

  void close() {
    Open closed = std::move(stack_.back());
    stack_.pop_back();
    remember(closed.node, closed.anchor);
    attach(std::move(closed.node));
  }

  // Anchors inside anchors keep a copy each of what they hold.
  void remember(const YamlNode& node, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    anchored_nodes_ += node.nodes;
    if (anchored_nodes_ > 2 * kMaxYamlNodes) {
      stop(node.place, "anchors inside anchors stand for too many values");
    }
    anchored_[anchor] = node;
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    count(node.place, 1);
    remember(node, anchor);
    if (expects_key() && node.kind != YamlNode::Kind::scalar) {
      stop(node.place, "a key is missing before this ':'");
    }
    attach(std::move(node));
  }

  void attach(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& top = stack_.back();
    if (top.node.kind == YamlNode::Kind::list) {
      count_child(top.node, node);
      top.node.items.push_back(std::move(node));
    } else if (!top.has_key) {
      if (is_merge_key_ && !top.merge) top.merge = top.node.entries.size();
      top.node.entries.push_back({std::move(node.text), node.place, {}});
      top.node.nodes += 1;
      top.has_key = true;
    } else {
      count_child(top.node, node);
      top.node.entries.back().value = std::move(node);
      top.has_key = false;
    }
  }

  // Takes duplicates out of a complete map and `<<` entries in.
  void settle_keys(YamlNode& map) {
    std::unordered_map<std::string, Place> seen;
    std::vector<YamlEntry> kept;
    std::vector<YamlNode> merged;
    for (size_t i = 0; i < map.entries.size(); ++i) {
      YamlEntry& entry = map.entries[i];
      auto [first, is_new] = seen.emplace(entry.key, entry.place);
      if (!is_new) {
        report(entry.place, entry.key,
               fmt::format("duplicate key; it stands in line {} already", first->second.line));
      } else if (stack_.back().merge == i) {
        collect_merge(std::move(entry.value), merged);
      } else {
        kept.push_back(std::move(entry));
      }
    }
    for (YamlNode& source : merged) {
      for (YamlEntry& entry : source.entries) {
        if (seen.emplace(entry.key, entry.place).second) kept.push_back(std::move(entry));
      }
    }
    map.entries = std::move(kept);
  }

  // The maps that a `<<` names, the first the strongest.
  void collect_merge(YamlNode value, std::vector<YamlNode>& merged) {
    if (value.kind == YamlNode::Kind::map) {
      merged.push_back(std::move(value));
      return;
    }
    bool maps_only = value.kind == YamlNode::Kind::list;
    for (const YamlNode& item : value.items) {
      maps_only = maps_only && item.kind == YamlNode::Kind::map;
    }
    if (!maps_only) {
      report(value.place, "<<", "'<<' merges a map or a list of maps, such as *defaults");
      return;
    }
    for (YamlNode& item : value.items) merged.push_back(std::move(item));
  }

  void report(Place place, std::string_view key, std::string message) {
    problems_.push_back({place.line, place.column, join_path(path(), key), std::move(message)});
  }

  // Of the map that is being closed.
  std::string path() const {
    std::string path;
    for (size_t i = 0; i + 1 < stack_.size(); ++i) {
      const YamlNode& node = stack_[i].node;
      if (node.kind == YamlNode::Kind::list) {
        path = join_path(path, node.items.size());
      } else {
        path = join_path(path, node.entries.back().key);
      }
    }
    return path;
  }

  const Source& source_;
  std::vector<Open> stack_;
  YamlNode root_;
  std::unordered_map<YAML::anchor_t, YamlNode> anchored_;
  std::vector<ConfigProblem> problems_;
  size_t nodes_ = 0;
  size_t anchored_nodes_ = 0;
  int documents_ = 0;
  bool is_merge_key_ = false;
};

// yaml-cpp's words for what is wrong, in words that help.
std::string explain(const YAML::Exception& failure, std::string_view line) {
  static constexpr std::pair<std::string_view, std::string_view> kHints[] = {
      {"illegal map value",
       "':' is not expected here; quote a value that holds ': ', and see whether the line above "
       "lacks its ':' or is indented otherwise"},
      {"end of map not found", "the indentation does not fit the lines above"},
      {"end of sequence not found", "the indentation does not fit the list above"},
      {"end of map flow not found", "'}' or ',' is missing before this"},
      {"end of sequence flow not found", "']' or ',' is missing before this"},
      {"illegal block entry", "'-' is not expected here; a list begins on a line of its own"},
      {"illegal map key", "a key is not expected here; check the indentation"},
      {"illegal flow end", "a bracket closes here that was never opened"},
      {"the referenced anchor is not defined", "no anchor of this name stands above"},
      {"unknown token", "a value cannot begin with this character; quote it"},
      {"bad file", "nested too deep"},
  };
  if (line.find("${") != std::string_view::npos && failure.msg.find("flow") != std::string::npos) {
    return "not valid YAML: inside [ ] and { } a value with ${...} must be quoted";
  }
  for (const auto& [words, hint] : kHints) {
    if (failure.msg.starts_with(words)) return fmt::format("not valid YAML: {}", hint);
  }
  return "not valid YAML: " + failure.msg;
}

}  // namespace

Result<YamlDocument, ConfigProblem> parse_yaml(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  auto checked = check_text(text);
  if (!checked) return Unexpected{checked.error()};
  Source source(text);
  TreeBuilder builder(source);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stopped) {
    return Unexpected{stopped.problem};
  } catch (const YAML::Exception& failure) {
    Place place = to_place(failure.mark);
    return Unexpected{
        ConfigProblem{place.line, place.column, "", explain(failure, source.line(place.line))}};
  }
  return builder.take();
}

}  // namespace lb::config
