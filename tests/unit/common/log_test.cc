// SPDX-License-Identifier: MIT
#include "common/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/fd.h"

namespace lb {
namespace {

using testing::MatchesRegex;
using std::string_literals::operator""s;

class Log : public testing::Test {
 protected:
  Log() {
    std::string path = testing::TempDir() + "lb_log_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  ~Log() override {
    log::shutdown();
    std::filesystem::remove_all(directory_);
  }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  void open(const std::string& file, log::Format format = log::Format::text,
            log::Level level = log::Level::info) {
    auto opened = log::configure({.level = level, .format = format, .output = path(file)});
    ASSERT_TRUE(opened) << opened.error().message;
  }

  // Ends the log first, so that everything is written.
  std::vector<std::string> lines(const std::string& file) const {
    log::shutdown();
    std::ifstream in(path(file));
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

 private:
  std::string directory_;
};

constexpr char kTime[] = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z";

TEST_F(Log, WritesTextLinesWithTimeLevelAndMessage) {
  open("a.log");
  log::info("pool {} has {} servers", "web", 3);
  log::warning("slow");
  log::error("down");
  auto written = lines("a.log");
  ASSERT_EQ(written.size(), 3u);
  EXPECT_THAT(written[0], MatchesRegex(kTime + " info    pool web has 3 servers"s));
  EXPECT_THAT(written[1], MatchesRegex(kTime + " warning slow"s));
  EXPECT_THAT(written[2], MatchesRegex(kTime + " error   down"s));
}

TEST_F(Log, WritesJsonObjects) {
  open("a.log", log::Format::json);
  log::info("plain");
  auto written = lines("a.log");
  ASSERT_EQ(written.size(), 1u);
  EXPECT_THAT(written[0], MatchesRegex("\\{\"time\":\""s + kTime +
                                       "\",\"level\":\"info\",\"message\":\"plain\"\\}"));
}

TEST_F(Log, EscapesWhatWouldBreakALine) {
  struct Row {
    std::string message;
    std::string text;
    std::string json;
  };
  const Row rows[] = {
      {"a \"b\" \\c", R"(a "b" \c)", R"(a \"b\" \\c)"},
      {"a\nb\r\t", R"(a\x0ab\x0d\x09)", R"(a\u000ab\u000d\u0009)"},
      {"\x1b[31m\0\x7f"s, R"(\x1b[31m\x00\x7f)", R"(\u001b[31m\u0000\u007f)"},
      // Controls beyond ASCII, and what ends a line for some readers of JSON.
      {"\xc2\x9b|\xe2\x80\xa8", "\xc2\x9b|\xe2\x80\xa8", R"(\u009b|\u2028)"},
      {"grün €  😀", "grün €  😀", "grün €  😀"},
      // Not UTF-8: alone, cut short, longer than needed, a surrogate, beyond the last character.
      {"\xff|\x80|\xc3", "\xff|\x80|\xc3", R"(\ufffd|\ufffd|\ufffd)"},
      {"\xe2\x82|\xf0\x9f\x98|", "\xe2\x82|\xf0\x9f\x98|", R"(\ufffd\ufffd|\ufffd\ufffd\ufffd|)"},
      {"\xc0\x80|\xe0\x80\x80", "\xc0\x80|\xe0\x80\x80", R"(\ufffd\ufffd|\ufffd\ufffd\ufffd)"},
      {"\xed\xa0\x80", "\xed\xa0\x80", R"(\ufffd\ufffd\ufffd)"},
      {"\xf4\x90\x80\x80", "\xf4\x90\x80\x80", R"(\ufffd\ufffd\ufffd\ufffd)"},
      {"", "", ""},
  };
  open("text.log");
  for (const Row& row : rows) log::info("{}", row.message);
  auto text = lines("text.log");
  open("json.log", log::Format::json);
  for (const Row& row : rows) log::info("{}", row.message);
  auto json = lines("json.log");
  ASSERT_EQ(text.size(), std::size(rows));
  ASSERT_EQ(json.size(), std::size(rows));
  for (size_t i = 0; i < std::size(rows); ++i) {
    EXPECT_THAT(text[i], testing::EndsWith("info    " + rows[i].text));
    EXPECT_THAT(json[i], testing::EndsWith("\"message\":\"" + rows[i].json + "\"}"));
  }
}

TEST_F(Log, WritesOnlyFromItsLevelOn) {
  open("a.log", log::Format::text, log::Level::warning);
  EXPECT_FALSE(log::enabled(log::Level::info));
  EXPECT_TRUE(log::enabled(log::Level::warning));
  log::debug("no");
  log::info("no");
  log::warning("yes");
  open("a.log", log::Format::text, log::Level::debug);
  EXPECT_FALSE(log::enabled(log::Level::trace));
  log::debug("now");
  auto written = lines("a.log");
  ASSERT_EQ(written.size(), 2u);
  EXPECT_THAT(written[0], testing::EndsWith("yes"));
  EXPECT_THAT(written[1], testing::EndsWith("debug   now"));
}

TEST_F(Log, WritesToANewFileAfterRenameAndReopen) {
  open("a.log");
  log::info("before");
  ASSERT_EQ(std::rename(path("a.log").c_str(), path("a.log.1").c_str()), 0);
  log::info("between");
  ASSERT_TRUE(log::reopen());
  log::info("after");
  auto old_lines = lines("a.log.1");
  ASSERT_EQ(old_lines.size(), 2u);
  EXPECT_THAT(old_lines[1], testing::EndsWith("between"));
  auto new_lines = lines("a.log");
  ASSERT_EQ(new_lines.size(), 1u);
  EXPECT_THAT(new_lines[0], testing::EndsWith("after"));
}

TEST_F(Log, AppendsToAFileThatIsThere) {
  open("a.log");
  log::info("first");
  log::shutdown();
  open("a.log");
  log::info("second");
  EXPECT_EQ(lines("a.log").size(), 2u);
}

TEST_F(Log, KeepsItsOutputWhenTheNewOneCannotBeOpened) {
  open("a.log");
  auto changed = log::configure({.level = log::Level::error, .output = path("a.log/b.log")});
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().message, testing::HasSubstr("a.log/b.log"));
  EXPECT_TRUE(log::enabled(log::Level::info));
  log::info("still here");
  ASSERT_TRUE(log::reopen());
  log::info("and here");
  EXPECT_EQ(lines("a.log").size(), 2u);
}

TEST_F(Log, DropsSilentlyWhatComesAfterTheEnd) {
  open("a.log");
  log::info("last");
  log::shutdown();
  log::error("too late");
  EXPECT_EQ(lines("a.log").size(), 1u);
}

TEST_F(Log, CountsEveryMessageThatAFullQueueLost) {
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  Fd reader(::open(path("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  open("fifo");
  EXPECT_EQ(log::lost(), 0u);
  // The background thread is stuck once the pipe is full; the writer here must not be.
  constexpr size_t kMessages = 20'000;
  const std::string message(100, 'x');
  for (size_t i = 0; i < kMessages; ++i) log::info("{}", message);
  uint64_t lost = log::lost();
  EXPECT_GT(lost, 0u);

  ASSERT_EQ(fcntl(reader.get(), F_SETFL, 0), 0);
  size_t written = 0;
  std::thread drain([&] {
    char buffer[65536];
    for (ssize_t n; (n = ::read(reader.get(), buffer, sizeof(buffer))) > 0;) {
      written += static_cast<size_t>(std::count(buffer, buffer + n, '\n'));
    }
  });
  log::shutdown();
  drain.join();
  EXPECT_EQ(written + lost, kMessages);
}

TEST_F(Log, TakesMessagesFromManyThreadsWhileTheOutputIsReplaced) {
  open("a.log");
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([] {
      for (int i = 0; i < 200; ++i) log::info("line {}", i);
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(log::reopen());
  for (auto& writer : writers) writer.join();
  uint64_t lost = log::lost();
  EXPECT_EQ(lines("a.log").size() + lost, 800u);
}

}  // namespace
}  // namespace lb
