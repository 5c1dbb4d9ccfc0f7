// SPDX-License-Identifier: MIT
#include "config/environment.h"

#include <cstdlib>

#include "common/log.h"
#include "common/result.h"

namespace lb::config {

namespace {

bool is_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  for (char c : name) {
    bool is_word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!is_word) return false;
  }
  return true;
}

// The value of what stands between "${" and "}".
Result<std::string> look_up(std::string_view reference) {
  size_t separator = reference.find(":-");
  std::string name(reference.substr(0, separator));
  if (!is_name(name)) {
    return fail(
        fmt::format("'${{{}}}' names no environment variable; it is written ${{NAME}} or "
                    "${{NAME:-default}} (a literal ${{ is written $${{)",
                    reference.substr(0, 60)));
  }
  // The control thread alone reads the environment, and nothing writes it.
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (separator != std::string_view::npos) {
    bool is_set = value != nullptr && *value != '\0';
    return is_set ? std::string(value) : std::string(reference.substr(separator + 2));
  }
  if (value == nullptr) {
    return fail(
        fmt::format("the environment variable {0} is not set; set it, or give a default: "
                    "${{{0}:-default}}",
                    name));
  }
  return std::string(value);
}

class Expander {
 public:
  explicit Expander(Problems& problems) : problems_(problems) {}

  void expand(YamlNode& node, const std::string& path) {
    if (node.kind == YamlNode::Kind::scalar) expand_scalar(node, path);
    for (size_t i = 0; i < node.items.size(); ++i) expand(node.items[i], join_path(path, i));
    for (YamlEntry& entry : node.entries) expand(entry.value, join_path(path, entry.key));
  }

 private:
  void expand_scalar(YamlNode& node, const std::string& path) {
    if (node.text.find("${") == std::string::npos) return;
    auto text = expanded(node.text);
    if (!text) {
      problems_.error(node.place, path, text.error().message);
      node.kind = YamlNode::Kind::invalid;
      return;
    }
    node.text = std::move(*text);
  }

  Result<std::string> expanded(std::string_view text) {
    std::string out;
    while (true) {
      size_t begin = text.find("${");
      if (begin == std::string_view::npos) break;
      if (begin > 0 && text[begin - 1] == '$') {
        out.append(text.substr(0, begin - 1)).append("${");
        text.remove_prefix(begin + 2);
        continue;
      }
      size_t end = text.find('}', begin);
      if (end == std::string_view::npos) return fail("'${' without its '}'");
      auto value = look_up(text.substr(begin + 2, end - begin - 2));
      if (!value) return value;
      bytes_ += value->size();
      if (bytes_ > kMaxExpandedBytes) return fail("environment variables add more than 1 MiB");
      out.append(text.substr(0, begin)).append(*value);
      text.remove_prefix(end + 1);
    }
    return out.append(text);
  }

  Problems& problems_;
  size_t bytes_ = 0;
};

}  // namespace

void expand_environment(YamlNode& root, Problems& problems) {
  Expander(problems).expand(root, "");
}

}  // namespace lb::config
