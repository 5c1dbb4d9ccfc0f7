// SPDX-License-Identifier: MIT
#include "broken_files.h"

#include <gtest/gtest.h>

#include "config/loader.h"

namespace lb::config {

std::string with_section(const std::string& text) {
  return "listeners: {a: {address: ':80', pool: db}}\n"
         "pools: {db: {servers: ['10.0.0.1:5432']}}\n" +
         text + "\n";
}

std::string with_listener(const std::string& text) {
  return "pools: {db: {servers: ['10.0.0.1:5432']}}\n"
         "listeners:\n"
         "  a:\n"
         "    address: ':80'\n"
         "    pool: db\n"
         "    " +
         text + "\n";
}

std::string with_pool(const std::string& text) {
  return "listeners: {a: {address: ':80', pool: db}}\n"
         "pools:\n"
         "  db:\n"
         "    servers: ['10.0.0.1:5432']\n"
         "    " +
         text + "\n";
}

std::string with_servers(const std::string& text) {
  return "listeners: {a: {address: ':80', pool: db}}\n"
         "pools:\n"
         "  db:\n"
         "    servers: " +
         text + "\n";
}

namespace {

std::vector<BrokenFile> all() {
  std::vector<BrokenFile> files;
  for (auto part :
       {broken_yaml, broken_process_sections, broken_admin, broken_listeners, broken_routes,
        broken_tls, broken_pools, broken_servers, broken_logins, broken_http, broken_jwt}) {
    auto more = part();
    files.insert(files.end(), more.begin(), more.end());
  }
  return files;
}

std::string listed(const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems) text += problem.to_string("lb.yaml") + "\n";
  return text;
}

TEST(BrokenFiles, EachIsRefusedWithOneProblemAtItsPlaceAndNeverStarts) {
  auto files = all();
  EXPECT_GE(files.size(), 170U);
  for (const BrokenFile& file : files) {
    SCOPED_TRACE(file.yaml.substr(0, 400));
    auto loaded = load_config_text(file.yaml, "/nonexistent");
    if (loaded) {
      ADD_FAILURE() << "accepted; expected: " << file.words;
      continue;
    }
    if (loaded.error().size() != 1) {
      ADD_FAILURE() << "not one problem:\n" << listed(loaded.error());
      continue;
    }
    const ConfigProblem& problem = loaded.error().front();
    EXPECT_EQ(problem.line, file.line) << listed(loaded.error());
    EXPECT_EQ(problem.column, file.column) << listed(loaded.error());
    EXPECT_EQ(problem.path, file.path);
    EXPECT_NE(problem.message.find(file.words), std::string::npos)
        << listed(loaded.error()) << "lacks: " << file.words;
  }
}

TEST(BrokenFiles, NoMessageIsLongerThanAScreenIsWide) {
  for (const BrokenFile& file : all()) {
    auto loaded = load_config_text(file.yaml, "/nonexistent");
    ASSERT_FALSE(loaded);
    EXPECT_LE(loaded.error().front().message.size(), 240U) << loaded.error().front().message;
  }
}

}  // namespace

}  // namespace lb::config
