// SPDX-License-Identifier: MIT
#include "common/file_broker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lb {
namespace {

using std::chrono::milliseconds;

Result<Fd> open_null(const std::string& path, FileUse use) {
  if (path == "/refused") return fail("refused");
  return Fd(open("/dev/null", open_flags(use)));
}

std::string error_of(const Result<Fd>& result) {
  return result ? "" : result.error().message;
}

// A broker on a thread of its own until its other end is closed.
class FileBrokerTest : public testing::Test {
 protected:
  FileBrokerTest() : channel_(*open_file_channel()) {}
  ~FileBrokerTest() override {
    asker_.reset();
    channel_.inside.reset();
    if (thread_.joinable()) thread_.join();
  }

  void serve() {
    thread_ = std::thread([socket = std::move(channel_.outside)]() mutable {
      FileBroker broker(std::move(socket), open_null);
      pollfd ready{.fd = broker.socket(), .events = POLLIN, .revents = 0};
      do {
        poll(&ready, 1, -1);
      } while (broker.serve());
    });
  }
  FileAsker& asker(milliseconds patience = FileAsker::kPatience) {
    if (!asker_) asker_ = std::make_unique<FileAsker>(std::move(channel_.inside), patience);
    return *asker_;
  }
  // The outside's, by hand.
  FileRequest next_request() const {
    pollfd ready{.fd = channel_.outside.get(), .events = POLLIN, .revents = 0};
    poll(&ready, 1, -1);
    std::string bytes(kMaxFileMessage, '\0');
    ssize_t got = recv(channel_.outside.get(), bytes.data(), bytes.size(), 0);
    return parse_file_request(bytes.substr(0, static_cast<size_t>(got))).value();
  }
  void say(const FileAnswer& answer) const {
    std::string bytes = to_bytes(answer);
    send(channel_.outside.get(), bytes.data(), bytes.size(), 0);
  }

  FileChannel channel_;
  std::unique_ptr<FileAsker> asker_;
  std::thread thread_;
};

TEST_F(FileBrokerTest, HandsOverWhatWasOpened) {
  serve();
  auto read = asker().open("/a", FileUse::read);
  auto append = asker().open("/a", FileUse::append);
  ASSERT_TRUE(read && append);
  EXPECT_EQ(fcntl(read->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(fcntl(append->get(), F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
  EXPECT_EQ(fcntl(append->get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(FileBrokerTest, SaysWhyNot) {
  serve();
  EXPECT_EQ(error_of(asker().open("/refused", FileUse::read)), "refused");
  EXPECT_EQ(error_of(asker().open("/a", FileUse::replace)), "no path of a file");
  EXPECT_TRUE(asker().open("/a", FileUse::read)) << "and goes on";
}

TEST_F(FileBrokerTest, BytesThatAreNoRequestArePassedOver) {
  serve();
  const std::string rows[] = {"x", std::string(17, '\xff'), std::string(100'000, '\0')};
  for (const std::string& row : rows) {
    ASSERT_GE(send(channel_.inside.get(), row.data(), row.size(), 0), 0);
  }
  EXPECT_TRUE(asker().open("/a", FileUse::read));
}

TEST_F(FileBrokerTest, DescriptorsThatNobodyTakesAreNotKept) {
  FileBroker broker(std::move(channel_.outside), open_null);
  int before = dup(0);
  close(before);
  auto bytes = to_bytes(FileRequest{.id = 1, .path = "/a"});
  for (int i = 0; i < 2'000; ++i) {
    send(channel_.inside.get(), bytes->data(), bytes->size(), 0);
    ASSERT_TRUE(broker.serve());
  }
  int after = dup(0);
  close(after);
  EXPECT_EQ(before, after);
}

TEST_F(FileBrokerTest, OneThatEndedIsSaidToHave) {
  channel_.outside.reset();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(error_of(asker().open("/a", FileUse::read)),
              "the process that opens files outside the sandbox has ended: restart lb");
  }
}

TEST_F(FileBrokerTest, OneThatEndsMeanwhileIsSaidToHave) {
  std::thread outside([this] {
    (void)next_request();
    channel_.outside.reset();
  });
  EXPECT_EQ(error_of(asker().open("/a", FileUse::read)),
            "the process that opens files outside the sandbox has ended: restart lb");
  outside.join();
}

TEST_F(FileBrokerTest, OneThatIsSlowIsWaitedForOnce) {
  constexpr const char* kSlow = "the process that opens files outside the sandbox does not answer";
  EXPECT_EQ(error_of(asker(milliseconds(1)).open("/late", FileUse::read)), kSlow);
  EXPECT_EQ(error_of(asker().open("/b", FileUse::read)), kSlow);
  FileRequest late = next_request();
  EXPECT_EQ(late.path, "/late") << "and the second was not asked for";
  say({.id = late.id, .problem = "late"});
  EXPECT_EQ(error_of(asker().open("/c", FileUse::read)), kSlow);
  EXPECT_EQ(next_request().path, "/c") << "once it has answered, it is asked again";
}

TEST_F(FileBrokerTest, AnAnswerToAnotherQuestionIsNone) {
  std::thread outside([this] {
    FileRequest request = next_request();
    say({.id = request.id + 1, .problem = "another"});
    ASSERT_GE(send(channel_.outside.get(), "x", 1, 0), 0);
    say({.id = request.id, .problem = "this"});
    request = next_request();
    say({.id = request.id});
  });
  EXPECT_EQ(error_of(asker().open("/a", FileUse::read)), "this");
  EXPECT_EQ(error_of(asker().open("/a", FileUse::read)),
            "the file's descriptor was lost: none may be left");
  outside.join();
}

}  // namespace
}  // namespace lb
