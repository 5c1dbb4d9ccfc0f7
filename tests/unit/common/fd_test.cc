// SPDX-License-Identifier: MIT
#include "common/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

namespace lb {
namespace {

int open_null() {
  int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(fd, 0);
  return fd;
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

TEST(Fd, ClosesWhatItOwnsWhenItDies) {
  int raw = open_null();
  {
    Fd fd(raw);
    EXPECT_TRUE(fd);
    EXPECT_EQ(fd.get(), raw);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(Fd, OwnsNothingUnlessGivenSomething) {
  Fd fd;
  EXPECT_FALSE(fd);
  EXPECT_EQ(fd.get(), -1);
  fd.reset();
  EXPECT_FALSE(Fd(-1));
}

TEST(Fd, TakesDescriptorZero) {
  Fd fd(0);
  EXPECT_TRUE(fd);
  EXPECT_EQ(fd.release(), 0);
}

TEST(Fd, HandsOverByMove) {
  int raw = open_null();
  Fd first(raw);
  Fd second(std::move(first));
  EXPECT_FALSE(first);
  EXPECT_EQ(second.get(), raw);
  EXPECT_TRUE(is_open(raw));
}

TEST(Fd, ClosesItsOwnBeforeItTakesAnother) {
  int old_raw = open_null();
  int new_raw = open_null();
  Fd fd(old_raw);
  fd = Fd(new_raw);
  EXPECT_FALSE(is_open(old_raw));
  EXPECT_EQ(fd.get(), new_raw);
  EXPECT_TRUE(is_open(new_raw));
}

TEST(Fd, SurvivesAMoveToItself) {
  int raw = open_null();
  Fd fd(raw);
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_EQ(fd.get(), raw);
  EXPECT_TRUE(is_open(raw));
}

TEST(Fd, LeavesAReleasedDescriptorOpen) {
  int raw = open_null();
  { EXPECT_EQ(Fd(raw).release(), raw); }
  EXPECT_TRUE(is_open(raw));
  Fd(raw).reset();
  EXPECT_FALSE(is_open(raw));
}

}  // namespace
}  // namespace lb
