// SPDX-License-Identifier: MIT
#include "app/file_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

namespace lb {
namespace {

namespace fs = std::filesystem;

class FileRulesTest : public testing::Test {
 protected:
  FileRulesTest() {
    char name[] = "/tmp/lb-rules-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no directory");
    root_ = fs::canonical(name);
  }
  ~FileRulesTest() override { fs::remove_all(root_); }

  std::string in(const std::string& path) const { return root_ / path; }
  static Config naming(NamedFile file) {
    Config config;
    config.sandbox.files.push_back(std::move(file));
    return config;
  }
  static ListenerConfig listening_at(const std::string& address) {
    ListenerConfig listener;
    listener.addresses.push_back({*Address::parse(address), false, address});
    return listener;
  }

  fs::path root_;
};

TEST_F(FileRulesTest, AFileThatIsReadOpensItsDirectoryForReading) {
  auto rules = rules_of_config(naming({"k", in("tls/a.pem")}));
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0], (FileRule{in("tls"), kReadFiles}));
}

TEST_F(FileRulesTest, AFileThatIsWrittenMayBeMadeAndReplacedButNotRead) {
  auto rules = rules_of_config(naming({"k", in("log/lb.log"), FileUse::append}));
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0], (FileRule{in("log"), kWriteFiles | kMakeFiles}));
}

TEST_F(FileRulesTest, RightsOfOneDirectoryAddUp) {
  Config config = naming({"k", in("a")});
  config.sandbox.files.push_back({"l", in("b"), FileUse::append});
  auto rules = rules_of_config(config);
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].rights, kReadFiles | kWriteFiles | kMakeFiles);
}

TEST_F(FileRulesTest, ALinkOpensTheDirectoryOfItsTargetToo) {
  fs::create_directories(root_ / "live");
  fs::create_directories(root_ / "archive");
  fs::create_symlink("../archive/cert1.pem", root_ / "live/cert.pem");
  auto rules = rules_of_config(naming({"k", in("live/cert.pem")}));
  EXPECT_TRUE(covers(rules, {in("live"), kReadFiles}));
  EXPECT_TRUE(covers(rules, {in("archive/cert2.pem"), kReadFiles}));
  EXPECT_FALSE(covers(rules, {in("other"), kReadFiles}));
}

TEST_F(FileRulesTest, OfAFileThatStandsInTheRootOnlyItselfIsOpened) {
  for (std::string file : {"/lb.yaml", "/dev/stdout", "/proc/1/x", "/sys/x"}) {
    auto rules = rules_of_config(naming({"k", file}));
    EXPECT_EQ(rules[0], (FileRule{file, kReadFiles})) << file;
  }
}

TEST_F(FileRulesTest, UnixSocketsAreMadeInTheirDirectories) {
  Config config;
  config.listeners["a"] = listening_at("unix:" + in("run/a.sock"));
  config.listeners["b"] = listening_at("127.0.0.1:80");
  config.admin.emplace().address = *Address::parse("unix:" + in("adm/b.sock"));
  auto rules = rules_of_config(config);
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_TRUE(covers(rules, {in("run"), kMakeSockets}));
  EXPECT_TRUE(covers(rules, {in("adm"), kMakeSockets}));
}

TEST_F(FileRulesTest, TheFileOfTheConfigurationIsReadAgain) {
  EXPECT_TRUE(covers(file_rules({}, in("lb.yaml")), {in("lb.yaml"), kReadFiles}));
  EXPECT_TRUE(covers(file_rules({}, "lb.yaml"), {fs::current_path() / "lb.yaml", kReadFiles}));
  EXPECT_FALSE(covers(file_rules({}, in("lb.yaml")), {in("lb.yaml"), kWriteFiles}));
  EXPECT_FALSE(covers(file_rules({}, ""), {fs::current_path() / "lb.yaml", kReadFiles}));
}

TEST_F(FileRulesTest, NoSecretOfTheMachineIsOpen) {
  auto rules = file_rules({}, in("lb.yaml"));
  for (const char* path : {"/", "/etc", "/etc/passwd", "/etc/shadow", "/etc/ssl/private", "/root",
                           "/home", "/var", "/proc/1", "/dev/mem", "/usr", "/usr/bin/env"}) {
    EXPECT_FALSE(covers(rules, {path, kReadFiles})) << path;
  }
  const std::set<fs::path> written = {"/dev/null", "/var/log/lb", "/var/lib/lb", "/run/lb"};
  for (const FileRule& rule : rules) {
    EXPECT_EQ((rule.rights & ~kReadFiles) != 0, written.contains(rule.path)) << rule.path;
  }
  EXPECT_TRUE(covers(rules, {"/etc/resolv.conf", kReadFiles}));
  EXPECT_TRUE(covers(rules, {"/etc/hosts", kReadFiles}));
}

TEST_F(FileRulesTest, CoversWhatIsBelowAndNotWhatBeginsAlike) {
  std::vector<FileRule> rules = {{"/a/b", kReadFiles}, {"/a/b/c", kWriteFiles}};
  struct Row {
    FileRule wanted;
    bool covered;
  };
  const Row rows[] = {{{"/a/b", kReadFiles}, true},
                      {{"/a/b/x/y", kReadFiles}, true},
                      {{"/a", kReadFiles}, false},
                      {{"/a/bc", kReadFiles}, false},
                      {{"/a/b", kReadFiles | kWriteFiles}, false},
                      {{"/a/b/c/d", kReadFiles | kWriteFiles}, true},
                      {{"/a/b", 0}, true}};
  for (const Row& row : rows) {
    EXPECT_EQ(covers(rules, row.wanted), row.covered)
        << row.wanted.path << " " << int{row.wanted.rights};
  }
}

TEST_F(FileRulesTest, TellsWhichKeyIsOutside) {
  auto rules = file_rules(naming({"k", in("a/x")}), in("lb.yaml"));
  Config socket;
  socket.listeners["a"] = listening_at("unix:" + in("a/s"));
  struct Row {
    Config config;
    std::string outside;
    bool can_be_opened_elsewhere;
  };
  const Row rows[] = {
      {naming({"k", in("a/y")}), "", true},
      {naming({"jwt.shop.jwks_file", "/else/y"}), "jwt.shop.jwks_file: /else/y", true},
      {naming({"log.output", in("a/y"), FileUse::append}), "log.output: " + in("a/y"), true},
      {naming({"admin.state_file", in("a/y"), FileUse::replace}), "admin.state_file: " + in("a/y"),
       false},
      {socket, "listeners.a.address: " + in("a/s"), false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(first_outside(row.config, rules, false), row.outside);
    EXPECT_EQ(first_outside(row.config, rules, true),
              row.can_be_opened_elsewhere ? "" : row.outside);
  }
}

TEST_F(FileRulesTest, TellsWhetherTheConfigurationFileCouldBeReplaced) {
  fs::create_directories(root_ / "conf");
  fs::create_directories(root_ / "logs");
  std::ofstream(in("logs/real.yaml")) << "x";
  fs::create_symlink("../logs/real.yaml", root_ / "conf/link.yaml");
  struct Row {
    const char* file;
    const char* written;
    bool may;
  };
  const Row rows[] = {{"conf/lb.yaml", "logs/lb.log", false},
                      {"conf/lb.yaml", "conf/lb.log", true},
                      {"conf/lb.yaml", "lb.log", true},
                      {"conf/link.yaml", "logs/lb.log", true}};
  for (const Row& row : rows) {
    auto config = naming({"log.output", in(row.written), FileUse::append});
    EXPECT_EQ(may_replace(file_rules(config, in(row.file)), in(row.file)), row.may)
        << row.file << " " << row.written;
  }
}

}  // namespace
}  // namespace lb
