// SPDX-License-Identifier: MIT
#include "common/line_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace lb {
namespace {

class LineFileTest : public testing::Test {
 protected:
  LineFileTest() {
    std::string name = testing::TempDir() + "lb_lines_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~LineFileTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  static std::string text(const std::string& file) {
    std::stringstream all;
    all << std::ifstream(file).rdbuf();
    return all.str();
  }

  static bool soon(const std::function<bool()>& condition) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(50);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  static std::unique_ptr<LineFile> open(const std::string& output, size_t writers = 1) {
    auto file = LineFile::open(output, writers);
    EXPECT_TRUE(file) << file.error().message;
    return std::move(*file);
  }

 private:
  std::string directory_;
};

TEST_F(LineFileTest, LinesAreThereSoonWithoutAnybodyAskingForIt) {
  auto file = open(path("log"));
  file->write(0, "one\n");
  EXPECT_TRUE(soon([&] { return text(path("log")) == "one\n"; }));
  file->write(0, "two\n");
  EXPECT_TRUE(soon([&] { return text(path("log")) == "one\ntwo\n"; }));
}

TEST_F(LineFileTest, WhatIsThereAlreadyStaysAndOthersMayNotReadIt) {
  std::ofstream(path("log")) << "before\n";
  open(path("log"))->write(0, "after\n");
  EXPECT_EQ(text(path("log")), "before\nafter\n");
  open(path("fresh"))->write(0, "x\n");
  struct stat info {};
  ASSERT_EQ(stat(path("fresh").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007, 0u);
}

TEST_F(LineFileTest, LinesOfSeveralThreadsStayWholeAndInTheOrderOfEach) {
  constexpr size_t kWriters = 3;
  constexpr int kLines = 20'000;
  auto file = open(path("log"), kWriters);
  std::vector<std::thread> threads;
  for (size_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (int i = 0; i < kLines; ++i) {
        std::string line = std::to_string(writer) + " " + std::to_string(i) + "\n";
        file->write(writer, line);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  file->close();
  std::ifstream in(path("log"));
  std::vector<int> last(kWriters, -1);
  uint64_t lines = 0;
  size_t writer;
  for (int i; in >> writer >> i; ++lines) {
    ASSERT_LT(writer, kWriters);
    ASSERT_GT(i, last[writer]);
    last[writer] = i;
  }
  EXPECT_TRUE(in.eof());
  EXPECT_EQ(lines + file->lost(), uint64_t{kWriters} * kLines);
}

TEST_F(LineFileTest, MoreThanARingFullGoesThroughWhenTheOutputKeepsUp) {
  auto file = open(path("log"));
  std::string line(1000, 'x');
  line += '\n';
  size_t written = 0;
  for (int i = 0; i < 1000; ++i) {
    uint64_t lost = file->lost();
    file->write(0, line);
    if (file->lost() != lost) {
      ASSERT_TRUE(soon([&] { return std::filesystem::file_size(path("log")) == written; }));
      file->write(0, line);
    }
    written += line.size();
  }
  file->close();
  std::string all = text(path("log"));
  ASSERT_EQ(all.size(), written);
  for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(all.compare(i * line.size(), line.size(), line), 0);
}

TEST_F(LineFileTest, AReaderThatStallsHoldsUpNobodyAndWhatIsDroppedIsCountedWhole) {
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  Fd reader(::open(path("fifo").c_str(), O_RDONLY | O_NONBLOCK));
  ASSERT_TRUE(reader);
  auto file = open(path("fifo"));
  const std::string line = std::string(999, 'y') + "\n";
  constexpr uint64_t kLines = 2'000;  // 2 MB: more than pipe and ring hold
  for (uint64_t i = 0; i < kLines; ++i) file->write(0, line);
  EXPECT_GT(file->lost(), kLines / 2);
  std::string got;
  char buffer[65536];
  uint64_t dropped = file->lost();
  EXPECT_TRUE(soon([&] {
    ssize_t size;
    while ((size = read(reader.get(), buffer, sizeof(buffer))) > 0) {
      got.append(buffer, static_cast<size_t>(size));
    }
    return got.size() == (kLines - dropped) * line.size();
  }));
  for (size_t at = 0; at < got.size(); at += line.size()) {
    ASSERT_EQ(got.compare(at, line.size(), line), 0);
  }
  file->write(0, "again\n");
  EXPECT_TRUE(soon([&] { return read(reader.get(), buffer, sizeof(buffer)) == 6; }));
}

TEST_F(LineFileTest, AnOutputThatTakesNothingIsLeftAfterASecondAndItsLinesCountAsLost) {
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  Fd reader(::open(path("fifo").c_str(), O_RDONLY | O_NONBLOCK));
  auto file = open(path("fifo"));
  const std::string line = std::string(999, 'z') + "\n";
  for (int i = 0; i < 200; ++i) file->write(0, line);
  ASSERT_EQ(file->lost(), 0u);
  auto begin = std::chrono::steady_clock::now();
  file->close();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_GT(file->lost(), 100u);  // a pipe holds 64 KiB
  EXPECT_LE(file->lost(), 200u);
}

TEST_F(LineFileTest, AFullDiskLosesLinesAndIsTriedAgain) {
  auto file = open("/dev/full");
  for (int i = 0; i < 300; ++i) file->write(0, std::string(999, 'f') + "\n");
  EXPECT_GT(file->lost(), 0u);  // the ring is full
  file->close();
  EXPECT_EQ(file->lost(), 300u);
}

TEST_F(LineFileTest, AfterReopenLinesGoToTheNewFile) {
  auto file = open(path("log"));
  file->write(0, "old\n");
  ASSERT_TRUE(soon([&] { return text(path("log")) == "old\n"; }));
  std::filesystem::rename(path("log"), path("log.1"));
  ASSERT_TRUE(file->reopen());
  EXPECT_TRUE(std::filesystem::exists(path("log")));
  file->write(0, "new\n");
  EXPECT_TRUE(soon([&] { return text(path("log")) == "new\n"; }));
  EXPECT_EQ(text(path("log.1")), "old\n");
}

TEST_F(LineFileTest, AReopenThatFailsKeepsTheOldFile) {
  std::filesystem::create_directory(path("sub"));
  auto file = open(path("sub/log"));
  std::filesystem::rename(path("sub"), path("moved"));
  auto reopened = file->reopen();
  ASSERT_FALSE(reopened);
  EXPECT_EQ(reopened.error().message, path("sub/log") + ": No such file or directory");
  file->write(0, "still here\n");
  file->close();
  EXPECT_EQ(text(path("moved/log")), "still here\n");
}

TEST_F(LineFileTest, WhatCannotBeOpenedSaysWhy) {
  for (const auto& [output, why] : std::vector<std::pair<std::string, std::string>>{
           {path("none/log"), "No such file or directory"},
           {testing::TempDir(), "Is a directory"},
       }) {
    auto file = LineFile::open(output, 1);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().message, output + ": " + why);
  }
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  auto nobody_reads = LineFile::open(path("fifo"), 1);
  ASSERT_FALSE(nobody_reads);
  EXPECT_EQ(nobody_reads.error().message, path("fifo") + ": No such device or address");
}

TEST_F(LineFileTest, WithoutDescriptorsThereIsAnError) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // Room for the file alone.
  Fd lowest(dup(STDERR_FILENO));
  rlimit low{.rlim_cur = static_cast<rlim_t>(lowest.get()) + 1, .rlim_max = before.rlim_max};
  lowest.reset();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  auto file = LineFile::open(path("log"), 1);
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message, path("log") + ": Too many open files");
}

TEST_F(LineFileTest, ALineLongerThanTheRingIsDropped) {
  auto file = open(path("log"));
  file->write(0, std::string(LineFile::kRoom, 'l') + "\n");
  file->write(0, "short\n");
  file->close();
  EXPECT_EQ(text(path("log")), "short\n");
  EXPECT_EQ(file->lost(), 1u);
}

}  // namespace
}  // namespace lb
