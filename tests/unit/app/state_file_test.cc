// SPDX-License-Identifier: MIT
#include "app/state_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "../loopback.h"

namespace lb {
namespace {

class StateFileTest : public testing::Test {
 protected:
  StateFileTest() {
    std::string name = std::filesystem::temp_directory_path() / "lb-state-XXXXXX";
    directory_ = mkdtemp(name.data());
    path_ = directory_ / "state.json";
  }
  ~StateFileTest() override { std::filesystem::remove_all(directory_); }

  std::string content() const {
    auto text = StateFile::read(path_);
    return text && *text ? **text : "";
  }

  EventLoop loop_;
  Mailbox mailbox_{loop_};
  std::filesystem::path directory_;
  std::string path_;
};

TEST_F(StateFileTest, EverySaveIsToldWhenItOrALaterOneIsThere) {
  StateFile file(path_, mailbox_);
  int told = 0;
  for (int i = 0; i < 100; ++i) {
    file.save("state " + std::to_string(i), [&](const Status<>& saved) {
      EXPECT_TRUE(saved);
      ++told;
    });
  }
  EXPECT_TRUE(run_until(loop_, [&] { return told == 100; }));
  EXPECT_EQ(content(), "state 99");
}

TEST_F(StateFileTest, WhatIsSavedLastIsThereAtTheEnd) {
  {
    StateFile file(path_, mailbox_);
    file.save("the last", [](const Status<>&) {});
  }
  EXPECT_EQ(content(), "the last");
}

TEST_F(StateFileTest, IsItsOwnersAlone) {
  ASSERT_TRUE(StateFile::write(path_, "secret"));
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(StateFileTest, AFailureIsToldAndChangesNothing) {
  ASSERT_TRUE(StateFile::write(path_, "before"));
  // Where the new file is to be written stands a directory.
  std::filesystem::create_directory(path_ + ".new");
  StateFile file(path_, mailbox_);
  std::string message;
  file.save("after", [&](const Status<>& saved) { message = saved ? "?" : saved.error().message; });
  EXPECT_TRUE(run_until(loop_, [&] { return !message.empty(); }));
  EXPECT_NE(message.find("cannot write"), std::string::npos) << message;
  EXPECT_EQ(content(), "before");
}

TEST_F(StateFileTest, AFileThatIsNotThereIsNoError) {
  auto text = StateFile::read(path_);
  ASSERT_TRUE(text);
  EXPECT_FALSE(*text);
}

}  // namespace
}  // namespace lb
