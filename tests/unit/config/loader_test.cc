// SPDX-License-Identifier: MIT
#include "config/loader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "broken_files.h"
#include "config/network_list.h"

namespace lb::config {
namespace {

// A directory of this test's own, gone when it ends.
class Loader : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "lb-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path write(const std::string& name, const std::string& text) {
    std::filesystem::path file = directory_ / name;
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }

  static std::string only_message(const std::filesystem::path& file) {
    auto result = load_config(file);
    if (result) return "accepted";
    EXPECT_EQ(result.error().size(), 1U);
    return result.error().front().to_string("lb.yaml");
  }

  std::filesystem::path directory_;
};

TEST_F(Loader, ReportsAllProblemsOfAFileInOneRunInTheOrderOfTheFile) {
  auto result = load_config_text(R"(pools:
  db: {servers: [10.0.0.1], blance: 3}
  db: {}
listeners:
  a: {address: "80", pool: no, backlog: 0, backlog: 1, timeouts: {idle: "${LB_TEST_UNSET}"}}
runtime: {workers: many}
)",
                                 "/");
  ASSERT_FALSE(result);
  std::string report;
  for (const ConfigProblem& problem : result.error()) report += problem.to_string("lb.yaml") + "\n";
  EXPECT_EQ(report,
            "lb.yaml:2:18: pools.db.servers[0]: '10.0.0.1' has no port; write 10.0.0.1:80, "
            "[2001:db8::1]:80, app.example:80 or unix:/run/app.sock\n"
            "lb.yaml:2:29: pools.db.blance: unknown key; did you mean 'balance'?\n"
            "lb.yaml:3:3: pools.db: duplicate key; it stands in line 2 already\n"
            "lb.yaml:5:16: listeners.a.address: 80 has no ':'; write ':80' in quotes for a port of "
            "every address\n"
            "lb.yaml:5:28: listeners.a.pool: there is no pool 'no'; the pools are db\n"
            "lb.yaml:5:41: listeners.a.backlog: '0' is out of range; it must be 1 to 65535\n"
            "lb.yaml:5:44: listeners.a.backlog: duplicate key; it stands in line 5 already\n"
            "lb.yaml:5:73: listeners.a.timeouts.idle: the environment variable LB_TEST_UNSET is "
            "not set; set it, or give a default: ${LB_TEST_UNSET:-default}\n"
            "lb.yaml:6:20: runtime.workers: 'many' is not a whole number; it must be 1 to 256, or "
            "auto\n");
}

TEST_F(Loader, AProblemInAMergedMapIsReportedWhereItIsWrittenForEachUse) {
  auto result = load_config_text(R"(listeners:
  a: &base {address: ":80", pool: db, timeouts: {idle: 5}}
  b: {<<: *base, address: ":81"}
pools: {db: {servers: [h:1]}}
)",
                                 "/");
  ASSERT_FALSE(result);
  ASSERT_EQ(result.error().size(), 2U);
  EXPECT_EQ(result.error()[0].path, "listeners.a.timeouts.idle");
  EXPECT_EQ(result.error()[1].path, "listeners.b.timeouts.idle");
  EXPECT_EQ(result.error()[1].line, 2);
  EXPECT_EQ(result.error()[1].column, 56);
}

TEST_F(Loader, ASyntaxErrorIsReportedAlone) {
  auto result = load_config_text("log: {level: loud, level: x}\nlisteners: [\n", "/");
  ASSERT_FALSE(result);
  ASSERT_EQ(result.error().size(), 1U);
  EXPECT_EQ(result.error()[0].line, 3);
}

TEST_F(Loader, AFileThatCannotBeReadIsReported) {
  EXPECT_EQ(only_message(directory_ / "none.yaml"),
            "lb.yaml:1:1: cannot read the file: No such file or directory");
  EXPECT_EQ(only_message(directory_), "lb.yaml:1:1: cannot read the file: Is a directory");
  EXPECT_EQ(only_message(write("big.yaml", std::string(1024 * 1024 + 1, '#'))),
            "lb.yaml:1:1: the file is larger than 1 MiB");
  EXPECT_EQ(only_message(write("empty.yaml", "")),
            "lb.yaml:1:1: the file is empty; it needs 'listeners' and 'pools'");
}

TEST_F(Loader, AFileOfExactlyOneMebibyteIsRead) {
  std::string yaml = with_section("");
  yaml += "#" + std::string(1024 * 1024 - yaml.size() - 1, 'x');
  EXPECT_TRUE(load_config(write("lb.yaml", yaml)));
}

TEST_F(Loader, TwoHundredThousandValuesAreReadAndOneMoreIsNot) {
  // Beside the list: the root, "log", its map and "x".
  auto list = [](size_t items) {
    std::string yaml = "log: {x: [";
    for (size_t i = 0; i < items; ++i) yaml += "a,";
    return yaml + "]}";
  };
  auto most = load_config_text(list(200'000 - 5), "/");
  ASSERT_FALSE(most);
  EXPECT_EQ(most.error().back().message.find("200,000"), std::string::npos);
  auto more = load_config_text(list(200'000 - 4), "/");
  ASSERT_FALSE(more);
  EXPECT_NE(more.error().back().message.find("200,000"), std::string::npos);
}

TEST_F(Loader, FilesOfNetworksAreTakenFromTheDirectoryOfTheConfiguration) {
  write("allow.txt", "# offices\n10.0.0.0/8\n\n  192.0.2.1   # gate\r\n2001:db8::/32");
  auto file = write("lb.yaml", with_listener("allow: [198.51.100.0/24, {file: allow.txt}]\n"
                                             "    deny: [{file: " +
                                             (directory_ / "allow.txt").native() + "}]"));
  auto result = load_config(file);
  ASSERT_TRUE(result);
  const ListenerConfig& listener = result->config.listeners.at("a");
  ASSERT_TRUE(listener.allow);
  for (const char* inside : {"10.1.2.3:1", "192.0.2.1:1", "198.51.100.9:1", "[2001:db8::9]:1"}) {
    EXPECT_TRUE(listener.allow->contains(*Address::parse(inside))) << inside;
  }
  EXPECT_FALSE(listener.allow->contains(*Address::parse("192.0.2.2:1")));
  EXPECT_FALSE(listener.deny.contains(*Address::parse("198.51.100.9:1")));
  EXPECT_EQ(listener.allow_source.files,
            std::vector<std::string>{(directory_ / "allow.txt").native()});
  EXPECT_EQ(listener.allow_source.networks.size(), 1U);

  // Read again after a change.
  EXPECT_EQ(*read_networks(listener.allow_source), *listener.allow);
  write("allow.txt", "203.0.113.0/24\n");
  auto now = read_networks(listener.allow_source);
  ASSERT_TRUE(now);
  EXPECT_TRUE(now->contains(*Address::parse("203.0.113.1:1")));
  EXPECT_TRUE(now->contains(*Address::parse("198.51.100.9:1")));
  EXPECT_FALSE(now->contains(*Address::parse("10.1.2.3:1")));
  write("allow.txt", "203.0.113.0/24\nnonsense\n");
  auto broken = read_networks(listener.allow_source);
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("allow.txt line 2: "), std::string::npos);
}

TEST_F(Loader, EachBadLineOfAFileOfNetworksIsNamedUpToTen) {
  std::string lines = "10.0.0.0/8\n10.0.0.1/8\n\n" + std::string(100, '1') + "\n1.2.3.4" +
                      std::string(1, '\0') + "5\n";
  write("few.txt", lines);
  auto file = write("lb.yaml", with_listener("deny: [{file: few.txt}]"));
  auto few = load_config(file);
  ASSERT_FALSE(few);
  ASSERT_EQ(few.error().size(), 3U);
  for (const ConfigProblem& problem : few.error()) {
    EXPECT_EQ(problem.line, 6);
    EXPECT_EQ(problem.column, 19);
    EXPECT_EQ(problem.path, "listeners.a.deny[0].file");
  }
  EXPECT_NE(few.error()[0].message.find("few.txt line 2: "), std::string::npos);
  EXPECT_NE(few.error()[1].message.find("few.txt line 4: not a network"), std::string::npos);
  EXPECT_NE(few.error()[2].message.find("few.txt line 5: not a network"), std::string::npos);

  std::string many;
  for (int i = 0; i < 100; ++i) many += "x\n";
  write("few.txt", many);
  auto ten = load_config(file);
  ASSERT_FALSE(ten);
  EXPECT_EQ(ten.error().size(), 10U);
}

TEST_F(Loader, AFileOfNetworksMustBeOneThatCanBeReadAgain) {
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  auto pipe = load_config(write("lb.yaml", with_listener("deny: [{file: pipe}]")));
  ASSERT_FALSE(pipe);
  EXPECT_NE(pipe.error()[0].message.find("is a pipe"), std::string::npos);

  write("large.txt", std::string(16 * 1024 * 1024 + 1, '#'));
  auto large = load_config(write("lb.yaml", with_listener("deny: [{file: large.txt}]")));
  ASSERT_FALSE(large);
  EXPECT_NE(large.error()[0].message.find("larger than 16 MiB"), std::string::npos);
}

TEST(ConfigProblem, IsOneLineThatBeginsWithItsPlace) {
  EXPECT_EQ((ConfigProblem{12, 7, "pools.web", "no"}.to_string("lb.yaml")),
            "lb.yaml:12:7: pools.web: no");
  EXPECT_EQ((ConfigProblem{1, 1, "", "no"}.to_string("/etc/lb.yaml")), "/etc/lb.yaml:1:1: no");
}

}  // namespace
}  // namespace lb::config
