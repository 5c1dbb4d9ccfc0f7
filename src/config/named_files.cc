// SPDX-License-Identifier: MIT
#include "config/named_files.h"

#include <string>
#include <utility>

#include "config/environment.h"
#include "config/file_text.h"
#include "config/problems.h"
#include "config/protected_keys.h"

namespace lb::config {

namespace {

// "key" of "listeners.web.tls.certificates[0].key".
std::string_view last_key(std::string_view path) {
  path = path.substr(path.rfind('.') + 1);  // npos + 1 is 0
  return path.substr(0, path.find('['));
}

// admin is protected as a whole.
template <typename Visit>
void visit_files(const YamlNode& node, const std::string& path, const Visit& visit) {
  for (const YamlEntry& entry : node.entries) {
    visit_files(entry.value, join_path(path, entry.key), visit);
  }
  if (node.kind != YamlNode::Kind::scalar || node.text.empty()) return;
  std::string_view key = last_key(path);
  if (key == "output") return visit(path, node.text, FileUse::append);
  if (key == "state_file") return visit(path, node.text, FileUse::replace);
  bool is_tls = key == "certificate" || key == "key" || key == "ocsp" || key == "ca";
  if (is_tls || key == "ticket_keys" || key == "file" || key.ends_with("_file")) {
    visit(path, node.text, FileUse::read);
  }
}

}  // namespace

std::vector<NamedFile> named_files(const YamlNode& root, const std::filesystem::path& directory) {
  std::vector<NamedFile> files;
  auto add = [&](const std::string& path, const std::string& text, FileUse use) {
    files.push_back({path, directory / text, use});
  };
  for (const auto& value : protected_values(root)) visit_files(*value.node, value.path, add);
  return files;
}

Result<std::vector<NamedFile>> read_named_files(const std::filesystem::path& config_file) {
  auto bytes = read_file(config_file, kMaxYamlBytes);
  if (!bytes) return Unexpected{bytes.error()};
  auto document = parse_yaml(*bytes);
  if (!document) return fail(document.error().message);
  Problems problems;
  expand_environment(document->root, problems);
  if (problems.has_errors()) return fail("a value cannot be expanded");
  return named_files(document->root, config_file.parent_path());
}

}  // namespace lb::config
