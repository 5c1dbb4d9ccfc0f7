// SPDX-License-Identifier: MIT
#include "config/loader.h"

#include <string>
#include <utility>

#include "common/log.h"
#include "config/addresses.h"
#include "config/checks.h"
#include "config/environment.h"
#include "config/file_text.h"
#include "config/load_tree.h"
#include "config/named_files.h"
#include "config/section.h"
#include "config/sections.h"

namespace lb {

namespace config {

namespace {

// The values of a map of names, those whose name is one.
std::vector<Value> named(const Value& map, std::string_view what) {
  std::vector<Value> values;
  for (Value& value : map.entries()) {
    if (is_name(value.key())) {
      values.push_back(std::move(value));
    } else {
      value.error_at_key(
          fmt::format("{} is no name of a {}; letters, digits and _ - . are allowed, at most {}",
                      quote(value.key()), what, kMaxName));
    }
  }
  return values;
}

// listeners and pools: maps of names that hold at least one.
std::vector<Value> require_named(Section& section, std::string_view key, std::string_view what,
                                 std::string_view why) {
  auto map = section.require(key, why);
  if (!map) return {};
  bool is_empty = map->is_null() || (map->is_map() && map->entries().empty());
  if (is_empty) map->error_at_key(fmt::format("is empty; {}", why));
  return named(*map, what);
}

void read_file_sections(const Value& root, Draft& draft) {
  Section section(root);
  if (auto found = section.find("runtime")) read_runtime(*found, draft.config);
  if (auto found = section.find("log")) read_log(*found, draft.config.log);
  if (auto found = section.find("admin")) read_admin(*found, draft);
  if (auto found = section.find("jwt"); found && !found->is_off()) {
    for (const Value& verifier : named(*found, "verifier")) read_jwt(verifier, draft);
  }
  if (auto found = section.find("tracing")) read_tracing(*found, draft.config.tracing);
  auto listeners = require_named(section, "listeners", "listener", "name at least one listener");
  for (const Value& listener : listeners) read_listener(listener, draft);
  draft.pools = require_named(section, "pools", "pool", "name at least one pool of servers");
  for (const Value& pool : draft.pools) read_pool(pool, draft);
  section.reserved({"version", "include", "discovery", "ha", "acme", "cache", "geoip"});
}

void read_root(const YamlNode& root, Draft& draft, Problems& problems) {
  if (root.kind == YamlNode::Kind::null) {
    problems.error({}, "", "the file is empty; it needs 'listeners' and 'pools'");
    return;
  }
  read_file_sections(Value(root, problems), draft);
  check_references(draft);
  choose_verifiers(draft);
  check_cookies(draft);
  check_listen_addresses(draft);
}

}  // namespace

Result<YamlDocument, std::vector<ConfigProblem>> parse_tree(std::string_view text) {
  auto document = parse_yaml(text);
  if (document) return std::move(*document);
  Problems problems;
  const ConfigProblem& problem = document.error();
  problems.error({problem.line, problem.column}, problem.path, problem.message);
  return Unexpected{problems.take_errors(text)};
}

void report(const std::vector<ConfigProblem>& found, Problems& problems) {
  for (const ConfigProblem& problem : found) {
    problems.error({problem.line, problem.column}, problem.path, problem.message);
  }
}

Result<LoadedConfig, std::vector<ConfigProblem>> load_tree(const YamlNode& root,
                                                           std::string_view text,
                                                           Problems& problems,
                                                           const std::filesystem::path& directory,
                                                           const TlsInspector* tls) {
  Draft draft;
  draft.directory = directory;
  draft.tls = tls;
  read_root(root, draft, problems);
  if (problems.has_errors()) return Unexpected{problems.take_errors(text)};
  draft.config.sandbox.files = named_files(root, directory);
  return LoadedConfig{std::move(draft.config), problems.take_warnings(text), {}};
}

}  // namespace config

Result<LoadedConfig, std::vector<ConfigProblem>> load_config_text(
    std::string_view yaml, const std::filesystem::path& directory, const TlsInspector* tls) {
  auto document = config::parse_tree(yaml);
  if (!document) return Unexpected{std::move(document.error())};
  config::Problems problems;
  config::report(document->problems, problems);
  config::YamlNode written = document->root;
  config::expand_environment(document->root, problems);
  auto loaded = config::load_tree(document->root, yaml, problems, directory, tls);
  if (loaded) loaded->document = ConfigDocument(std::move(written), std::move(document->root));
  return loaded;
}

Result<LoadedConfig, std::vector<ConfigProblem>> load_config(const std::filesystem::path& file,
                                                             const TlsInspector* tls) {
  auto bytes = config::read_file(file, config::kMaxYamlBytes);
  if (!bytes) {
    return Unexpected{std::vector<ConfigProblem>{
        {1, 1, "", fmt::format("cannot read the file: {}", bytes.error().message)}}};
  }
  return load_config_text(*bytes, file.parent_path(), tls);
}

}  // namespace lb
