// SPDX-License-Identifier: MIT
#include "app/list_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../loopback.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ListFollowerTest : public testing::Test {
 protected:
  ListFollowerTest() {
    char name[] = "/tmp/lb-list-test-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~ListFollowerTest() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& text) {
    std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  // As an editor does: a new file takes the old one's name.
  void replace(const std::string& path, const std::string& text) {
    std::ofstream(path + ".new") << text;
    std::rename((path + ".new").c_str(), path.c_str());
  }
  ListenerConfig& listener(const std::string& name) { return config_.listeners[name]; }
  // Follows, and waits for the first look, which tells of every file that is there.
  void follow() {
    follower_.follow(config_);
    ASSERT_TRUE(run_until_changes(1));
    changes_ = 0;
  }
  bool run_until_changes(int count) {
    return run_until(loop_, [&] { return changes_ >= count; });
  }
  bool no_more_changes() {
    int before = changes_;
    return stays_away(
        loop_, [&] { return changes_ > before; }, milliseconds(20));
  }

  std::string directory_;
  Config config_;
  EventLoop loop_;
  int changes_ = 0;
  ListFollower follower_{loop_, [this] { ++changes_; }, milliseconds(2)};
};

TEST_F(ListFollowerTest, TellsWhenAFileChangesInWhateverWay) {
  std::string allow = file("allow", "10.0.0.0/8\n");
  std::string deny = file("deny", "10.6.6.0/24\n");
  listener("a").allow_source.files = {allow};
  listener("b").deny_source.files = {deny};
  follow();
  EXPECT_TRUE(no_more_changes());
  file("allow", "10.0.0.0/8\n10.1.0.0/16\n");
  EXPECT_TRUE(run_until_changes(1));
  EXPECT_TRUE(no_more_changes()) << "told once";
  replace(deny, "10.6.6.0/24\n");
  EXPECT_TRUE(run_until_changes(2)) << "of the same size, and of another inode";
  EXPECT_TRUE(no_more_changes());
}

TEST_F(ListFollowerTest, AFileThatIsGoneIsToldOnce) {
  std::string path = file("allow", "10.0.0.0/8\n");
  listener("a").allow_source.files = {path};
  follow();
  std::rename(path.c_str(), (path + ".away").c_str());
  EXPECT_TRUE(run_until_changes(1));
  EXPECT_TRUE(no_more_changes()) << "told once";
  std::rename((path + ".away").c_str(), path.c_str());
  EXPECT_TRUE(no_more_changes()) << "it is what it was";
  std::remove(path.c_str());
  EXPECT_TRUE(run_until_changes(2)) << "gone again";
  file("allow", "10.0.0.0/8\n10.1.0.0/16\n");
  EXPECT_TRUE(run_until_changes(3)) << "another one came in its place";
}

TEST_F(ListFollowerTest, AFileThatAppearsIsAChange) {
  listener("a").allow_source.files = {directory_ + "/later"};
  follow();
  EXPECT_TRUE(no_more_changes());
  file("later", "10.0.0.0/8\n");
  EXPECT_TRUE(run_until_changes(1));
}

TEST_F(ListFollowerTest, LooksComeInTimeHoweverOftenItIsToldWhatToFollow) {
  std::string path = file("allow", "10.0.0.0/8\n");
  listener("a").allow_source.files = {path};
  follow();
  file("allow", "10.0.0.0/8\n10.1.0.0/16\n");
  EXPECT_TRUE(run_until(loop_, [&] {
    follower_.follow(config_);
    return changes_ >= 1;
  }));
  follower_.follow(config_);
  EXPECT_TRUE(no_more_changes()) << "told once";
}

TEST_F(ListFollowerTest, NoChangeIsLostWhenAReloadComesBetween) {
  std::string path = file("allow", "10.0.0.0/8\n");
  listener("a").allow_source.files = {path};
  follow();
  // The reload has read the file, then it changes, then the reload takes effect.
  file("allow", "10.0.0.0/8\n10.1.0.0/16\n");
  ASSERT_TRUE(run_until_changes(1));
  follower_.follow(config_);
  follower_.tell_again();
  EXPECT_TRUE(run_until_changes(2));
  EXPECT_TRUE(no_more_changes());
}

TEST_F(ListFollowerTest, WatchesOnlyWhatTheConfigurationNames) {
  std::string path = file("allow", "10.0.0.0/8\n");
  listener("a").allow_source.files = {path};
  follow();
  config_.listeners.clear();
  follower_.follow(config_);
  file("allow", "10.0.0.0/8\n10.1.0.0/16\n");
  EXPECT_TRUE(no_more_changes());
}

TEST_F(ListFollowerTest, ListsAreReadAgain) {
  std::string path = file("list", "10.0.0.0/8  # ours\n");
  ListenerConfig& a = listener("a");
  a.allow = CidrSet();
  a.allow_source.files = {path};
  a.allow_source.networks = {*Cidr::parse("192.0.2.0/24")};
  ListenerConfig& b = listener("b");
  b.deny_source.files = {path};
  ListenerConfig& c = listener("c");
  c.deny = CidrSet({*Cidr::parse("10.9.9.9")});
  std::vector<std::string> problems;
  Config read = with_lists_read_again(config_, problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_TRUE(read.listeners["a"].allow->contains(*Address::parse("10.1.2.3:1")));
  EXPECT_TRUE(read.listeners["a"].allow->contains(*Address::parse("192.0.2.1:1")));
  EXPECT_TRUE(read.listeners["a"].deny.empty());
  EXPECT_TRUE(read.listeners["b"].deny.contains(*Address::parse("10.1.2.3:1")));
  EXPECT_FALSE(read.listeners["b"].allow);
  EXPECT_EQ(read.listeners["c"].deny, c.deny) << "nothing to read";
}

TEST_F(ListFollowerTest, AListThatCannotBeReadStaysAsItWas) {
  ListenerConfig& a = listener("a");
  a.allow = CidrSet({*Cidr::parse("10.0.0.0/8")});
  a.allow_source.files = {directory_ + "/missing"};
  ListenerConfig& b = listener("b");
  b.deny = CidrSet({*Cidr::parse("10.6.6.0/24")});
  b.deny_source.files = {file("bad", "10.0.0.0/8\nnonsense\n")};
  std::vector<std::string> problems;
  Config read = with_lists_read_again(config_, problems);
  EXPECT_EQ(read.listeners["a"].allow, a.allow);
  EXPECT_EQ(read.listeners["b"].deny, b.deny);
  EXPECT_THAT(problems, ElementsAre(HasSubstr("listeners.a.allow: cannot read"),
                                    HasSubstr("listeners.b.deny: ")));
  EXPECT_THAT(problems[1], HasSubstr("line 2"));
}

TEST_F(ListFollowerTest, ListsAreTheSameWhenTheirNetworksAre) {
  ListenerConfig& a = listener("a");
  a.deny = CidrSet({*Cidr::parse("10.6.6.0/24")});
  Config other = config_;
  other.listeners["a"].allow_source.files = {"elsewhere"};
  EXPECT_TRUE(same_lists(config_, other));
  other.listeners["a"].allow = CidrSet();
  EXPECT_FALSE(same_lists(config_, other)) << "nobody is not everybody";
  other = config_;
  other.listeners["a"].deny = CidrSet({*Cidr::parse("10.6.6.0/25")});
  EXPECT_FALSE(same_lists(config_, other));
  other = config_;
  other.listeners.clear();
  EXPECT_FALSE(same_lists(config_, other));
}

}  // namespace
}  // namespace lb
