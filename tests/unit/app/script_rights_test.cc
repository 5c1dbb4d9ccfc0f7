// SPDX-License-Identifier: MIT
#include "app/script_rights.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/loader.h"

namespace lb {
namespace {

using Words = std::vector<std::string>;

class ScriptRightsTest : public testing::Test {
 protected:
  ScriptRightsTest() {
    char name[] = "/tmp/lb-rights-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no directory");
    directory_ = name;
  }
  ~ScriptRightsTest() override { std::filesystem::remove_all(directory_); }

  static std::string checked_by(const std::string& command) {
    return "listeners: {in: {address: \":5432\", pool: p}}\n"
           "pools: {p: {servers: [\"10.0.0.1:1\"], health_check: {type: script, command: " +
           command + "}}}\n";
  }
  // In the way of an editor: a new file takes the place.
  void write(const std::string& text) const {
    std::ofstream(directory_ / "new") << text;
    std::filesystem::rename(directory_ / "new", file());
  }
  std::filesystem::path file() const { return directory_ / "lb.yaml"; }
  ScriptHost::MayRun rights() const { return scripts_of(load_config(file())->config, file()); }

  std::filesystem::path directory_;
};

TEST_F(ScriptRightsTest, WhatTheFileNamedAtStartMayRun) {
  write(checked_by("[/bin/one, a]"));
  auto may_run = rights();
  EXPECT_TRUE(may_run({"/bin/one", "a"}));
  const Words others[] = {{"/bin/one"}, {"/bin/one", "a", "b"}, {"/bin/one", "b"}, {}};
  for (const Words& other : others) EXPECT_FALSE(may_run(other));
}

TEST_F(ScriptRightsTest, WhatTheFileNamesNowMayRunToo) {
  write(checked_by("[/bin/one]"));
  auto may_run = rights();
  EXPECT_FALSE(may_run({"/bin/two"}));
  write(checked_by("[/bin/two]"));
  EXPECT_TRUE(may_run({"/bin/two"}));
  EXPECT_TRUE(may_run({"/bin/one"})) << "a reload may not have come yet";
}

TEST_F(ScriptRightsTest, ABrokenFileChangesNothing) {
  write(checked_by("[/bin/one]"));
  auto may_run = rights();
  write(checked_by("[/bin/two]") + "x: y\n");
  EXPECT_FALSE(may_run({"/bin/two"}));
  EXPECT_TRUE(may_run({"/bin/one"}));
  std::filesystem::remove(file());
  EXPECT_FALSE(may_run({"/bin/two"}));
}

TEST_F(ScriptRightsTest, WithoutAFileNothingIsAdded) {
  auto config = load_config_text(checked_by("[/bin/one]"), ".")->config;
  auto may_run = scripts_of(config, "");
  EXPECT_TRUE(may_run({"/bin/one"}));
  EXPECT_FALSE(may_run({"/bin/two"}));
}

}  // namespace
}  // namespace lb
