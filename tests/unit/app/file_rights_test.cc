// SPDX-License-Identifier: MIT
#include "app/file_rights.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "app/landlock.h"

namespace lb {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;

class FileRightsTest : public testing::Test {
 protected:
  FileRightsTest() {
    char name[] = "/tmp/lb-files-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no directory");
    directory_ = name;
    for (const char* file : {"ca.pem", "key.pem", "other"})
      std::ofstream(directory_ / file) << file;
  }
  ~FileRightsTest() override { fs::remove_all(directory_); }

  std::string in(const std::string& file) const { return directory_ / file; }
  fs::path config_file() const { return directory_ / "lb.yaml"; }
  // In the way of an editor: a new file takes the place.
  void name(const std::string& yaml) const {
    std::ofstream(in("new")) << yaml;
    fs::rename(in("new"), config_file());
  }

  fs::path directory_;
};

std::string error_of(const Result<Fd>& result) {
  return result ? "" : result.error().message;
}

TEST_F(FileRightsTest, WhatTheFileNamesIsOpenedForThatUseAlone) {
  name("pools: {p: {tls: {ca: ca.pem}}}\nlog: {output: " + in("lb.log") + "}\n");
  auto open = files_named_by(config_file());
  EXPECT_TRUE(open(in("ca.pem"), FileUse::read));
  auto log = open(in("lb.log"), FileUse::append);
  ASSERT_TRUE(log) << "it is made";
  EXPECT_EQ(fcntl(log->get(), F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
  struct Row {
    std::string path;
    FileUse use;
  };
  const Row refused[] = {
      {in("ca.pem"), FileUse::append}, {in("lb.log"), FileUse::read},
      {in("other"), FileUse::read},    {in("other"), FileUse::append},
      {config_file(), FileUse::read},  {in("./ca.pem"), FileUse::read},
      {directory_, FileUse::read},     {"", FileUse::read},
  };
  for (const Row& row : refused) {
    EXPECT_THAT(error_of(open(row.path, row.use)),
                EndsWith(row.use == FileUse::read ? "does not name it as a file to read"
                                                  : "does not name it as a file to write to"))
        << row.path;
  }
}

TEST_F(FileRightsTest, AStateFileIsNotHandedOver) {
  name("admin: {state_file: other}\n");
  auto open = files_named_by(config_file());
  for (FileUse use : {FileUse::read, FileUse::append}) EXPECT_FALSE(open(in("other"), use));
}

TEST_F(FileRightsTest, WhatTheFileNamesByNowIsAddedAndABrokenFileAddsNothing) {
  name("pools: {p: {tls: {ca: ca.pem}}}\n");
  auto open = files_named_by(config_file());
  EXPECT_FALSE(open(in("key.pem"), FileUse::read));
  name("pools: {p: {tls: {key: key.pem}}}\n");
  EXPECT_TRUE(open(in("key.pem"), FileUse::read));
  name("pools: {p: {tls: {key: other}\n");
  EXPECT_FALSE(open(in("other"), FileUse::read));
  EXPECT_TRUE(open(in("key.pem"), FileUse::read)) << "a reload may not have come yet";
}

TEST_F(FileRightsTest, OnlyRegularFilesAreReadAndNobodyWaitsForAFifo) {
  ASSERT_EQ(mkfifo(in("fifo").c_str(), 0600), 0);
  name("pools: {p: {tls: {ca: fifo, key: /dev/zero, certificate: absent}}}\nlog: {output: " +
       in("fifo") + "}\n");
  auto open = files_named_by(config_file());
  EXPECT_EQ(error_of(open(in("fifo"), FileUse::read)), "is no regular file");
  EXPECT_EQ(error_of(open("/dev/zero", FileUse::read)), "is no regular file");
  EXPECT_EQ(error_of(open(in("absent"), FileUse::read)), "No such file or directory");
  EXPECT_EQ(error_of(open(in("fifo"), FileUse::append)), "No such device or address");
}

TEST_F(FileRightsTest, RootIsSoInNameAlone) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has something to lay aside";
  name("pools: {p: {tls: {key: key.pem}}}\n");
  ASSERT_EQ(chown(in("key.pem").c_str(), 65'534, 65'534), 0);
  ASSERT_EQ(chmod(in("key.pem").c_str(), 0600), 0);
  auto open = files_named_by(config_file());
  EXPECT_EQ(error_of(open(in("key.pem"), FileUse::read)), "Permission denied");
  EXPECT_TRUE(Fd(::open(in("key.pem").c_str(), O_RDONLY | O_CLOEXEC))) << "and is root afterwards";
}

// open_named_file() in a thread that may open nothing.
TEST_F(FileRightsTest, WhoLacksThePermissionAsks) {
  if (landlock_version() == 0) GTEST_SKIP() << "a kernel without Landlock";
  std::string asked;
  ask_for_files([&](const std::string& path, FileUse) {
    asked += path;
    return fail("no");
  });
  EXPECT_TRUE(open_named_file(in("ca.pem"), FileUse::read));
  EXPECT_EQ(error_of(open_named_file(in("absent"), FileUse::read)), "No such file or directory");
  EXPECT_EQ(asked, "");
  std::thread([&] {
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_TRUE(restrict_files({}));
    EXPECT_EQ(error_of(open_named_file(in("ca.pem"), FileUse::read)), "no");
    EXPECT_EQ(asked, in("ca.pem"));
    ask_for_files({});
    EXPECT_EQ(error_of(open_named_file(in("ca.pem"), FileUse::read)), "Permission denied");
  }).join();
}

}  // namespace
}  // namespace lb
