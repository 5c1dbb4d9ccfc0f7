// SPDX-License-Identifier: MIT
#include "common/json.h"

#include <set>
#include <vector>

#include "common/log.h"

namespace lb {

namespace {

using Event = nlohmann::ordered_json::parse_event_t;

// Levels of [ and {, strings skipped: counted before the parser, which has no limit of its own.
size_t depth_of(std::string_view text) {
  size_t depth = 0;
  size_t deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

// Notices a name that stands twice in one object, of which the tree would keep only one.
class Names {
 public:
  void see(int depth, Event event, const Json& parsed) {
    auto level = static_cast<size_t>(depth);
    if (event == Event::object_start) {
      open_.resize(level + 1);
      open_[level].clear();
    } else if (event == Event::key && level > 0) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!open_[level - 1].insert(name).second && twice_.empty()) twice_ = name;
    }
  }
  const std::string& twice() const { return twice_; }

 private:
  std::vector<std::set<std::string>> open_;  // the objects around what is read now
  std::string twice_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, size_t max_depth) {
  if (depth_of(text) > max_depth) {
    return fail(fmt::format("nested deeper than {} levels", max_depth));
  }
  Names names;
  try {
    Json json = Json::parse(text, [&](int depth, Event event, Json& parsed) {
      names.see(depth, event, parsed);
      return true;
    });
    if (!names.twice().empty()) {
      return fail(
          fmt::format("the name '{}' stands twice in one object", names.twice().substr(0, 60)));
    }
    return json;
  } catch (const nlohmann::json::parse_error& error) {
    return fail(fmt::format("not JSON, at byte {}", error.byte));
  } catch (const nlohmann::json::exception&) {
    return fail("a number is out of range");
  }
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lb
