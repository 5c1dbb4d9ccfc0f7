// SPDX-License-Identifier: MIT
#include "app/name_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "common/log.h"

namespace lb {
namespace {

namespace fs = std::filesystem;

class NameFilesTest : public testing::Test {
 protected:
  NameFilesTest() {
    char name[] = "/tmp/lb-names-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no directory");
    root_ = name;
  }
  ~NameFilesTest() override { fs::remove_all(root_); }

  // As an editor does it.
  void replace(const std::string& file, const std::string& text) const {
    std::ofstream(root_ / "new") << text;
    fs::rename(root_ / "new", root_ / file);
  }
  NameFiles made() const { return *NameFiles::make(root_ / "hosts", root_ / "resolv.conf"); }
  static std::string read(int fd) {
    std::ifstream file(fmt::format("/proc/self/fd/{}", fd));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path root_;
};

TEST_F(NameFilesTest, TheCopiesFollowFilesThatAreReplaced) {
  replace("hosts", "127.0.0.1 localhost\n");
  replace("resolv.conf", "nameserver 192.0.2.1\n");
  NameFiles files = made();
  auto fds = files.descriptors();
  EXPECT_EQ(read(fds[0]), "127.0.0.1 localhost\n");
  EXPECT_EQ(read(fds[1]), "nameserver 192.0.2.1\n");
  replace("hosts", "127.0.0.1 a\n");
  replace("resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.2\n");
  files.follow();
  EXPECT_EQ(read(fds[0]), "127.0.0.1 a\n") << "nothing is left of the longer one";
  EXPECT_EQ(read(fds[1]), "nameserver 192.0.2.1\nnameserver 192.0.2.2\n");
}

TEST_F(NameFilesTest, WhatIsGoneIsAboutToComeBack) {
  replace("hosts", "127.0.0.1 a\n");
  NameFiles files = made();
  auto fds = files.descriptors();
  EXPECT_EQ(read(fds[1]), "") << "there is none";
  fs::remove(root_ / "hosts");
  files.follow();
  EXPECT_EQ(read(fds[0]), "127.0.0.1 a\n");
  replace("hosts", "");
  files.follow();
  EXPECT_EQ(read(fds[0]), "");
}

}  // namespace
}  // namespace lb
