// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../loopback.h"
#include "health/probes.h"
#include "net/resp.h"

namespace lb {
namespace {

using testing::ElementsAre;
using Commands = std::vector<std::string>;

// A Redis that a test's loop runs: answers each command as it is told to.
class FakeRedis {
 public:
  explicit FakeRedis(EventLoop& loop) : loop_(loop) {
    event_.bind<&FakeRedis::on_connection>(loop, listening_.fd(), IoEvent::kRead, this);
    event_.arm();
  }

  const Address& address() const { return listening_.address(); }
  // As a server that restarts: every session is gone.
  void end_sessions() { sessions_.clear(); }

  std::map<std::string, std::string> replies = {{"AUTH", "+OK\r\n"}, {"PING", "+PONG\r\n"}};
  Commands commands;  // of all sessions
  int connections = 0;

 private:
  struct Session {
    Session(FakeRedis& of, Fd taken) : redis(of), fd(std::move(taken)) {
      event.bind<&Session::on_readable>(of.loop_, fd.get(), IoEvent::kRead, this);
      event.arm();
    }
    void on_readable() {
      if (receive(fd.get(), received) == 0) return event.disarm();
      while (true) {
        RespParse command = parse_resp(received);
        if (command.state != RespParse::State::complete) return;
        received.erase(0, command.length);
        std::string words;
        for (const RespValue& word : command.value.items) {
          words += (words.empty() ? "" : " ") + word.text;
        }
        redis.commands.push_back(words);
        send_some(fd.get(), redis.replies[command.value.items.front().text]);
      }
    }
    FakeRedis& redis;
    Fd fd;
    IoEvent event;
    std::string received;
  };

  void on_connection() {
    Fd fd = listening_.try_accept();
    if (!fd) return;
    ++connections;
    sessions_.push_back(std::make_unique<Session>(*this, std::move(fd)));
  }

  EventLoop& loop_;
  Listening listening_;
  IoEvent event_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

class RedisProbeTest : public testing::Test {
 protected:
  RedisProbeTest() : redis_(loop_) { config_.type = CheckType::redis; }

  ProbeResult check() {
    if (!probe_) probe_ = make_probe({loop_}, {.address = redis_.address()}, config_);
    std::optional<ProbeResult> result;
    probe_->start([&](ProbeResult r) { result = std::move(r); });
    EXPECT_FALSE(result) << "called back from within start()";
    EXPECT_TRUE(run_until(loop_, [&] { return result.has_value(); }));
    return result.value_or(ProbeResult{.detail = "no answer"});
  }

  EventLoop loop_;
  FakeRedis redis_;
  HealthCheckConfig config_;
  std::unique_ptr<Probe> probe_;
};

const std::string kPrimary = "*3\r\n$6\r\nmaster\r\n:42\r\n*0\r\n";
const std::string kReplica = "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:42\r\n";

TEST_F(RedisProbeTest, UnderstandsWhatRedisSays) {
  struct Row {
    const char* what;
    std::optional<DatabaseRole> role;
    std::string ping;
    std::string says_role;
    bool passed;
    std::string detail;
    bool decides = false;
  };
  const auto primary = DatabaseRole::primary;
  const auto replica = DatabaseRole::replica;
  const std::string pong = "+PONG\r\n";
  const Row rows[] = {
      {"alive", {}, pong, "", true, "PONG"},
      {"loading", {}, "-LOADING Redis is loading\r\n", "", false, "LOADING Redis is loading"},
      {"cut off", replica, "-MASTERDOWN Link with MASTER is down\r\n", kReplica, false,
       "MASTERDOWN Link with MASTER is down"},
      {"locked",
       {},
       "-NOAUTH Authentication required.\r\n",
       "",
       false,
       "NOAUTH Authentication required."},
      {"a primary", primary, pong, kPrimary, true, "primary"},
      {"a replica", replica, pong, kReplica, true, "replica"},
      {"no primary", primary, pong, kReplica, false, "is a replica, no primary", true},
      {"no replica", replica, pong, kPrimary, false, "is a primary, no replica", true},
      {"a sentinel", primary, pong, "*2\r\n$8\r\nsentinel\r\n*0\r\n", false,
       "is neither primary nor replica: sentinel"},
      {"no role", primary, pong, "*0\r\n", false, "is neither primary nor replica:"},
      {"not allowed", primary, pong, "-NOPERM no permissions\r\n", false, "NOPERM no permissions"},
      {"something else", {}, "HTTP/1.1 400 Bad Request\r\n\r\n", "", false, "no answer of Redis"},
      {"too much", {}, "+PONG\r\n+PONG\r\n", "", false, "an answer to nothing that was asked"},
  };
  for (const Row& row : rows) {
    config_.role = row.role;
    redis_.replies["PING"] = row.ping;
    redis_.replies["ROLE"] = row.says_role;
    probe_.reset();
    ProbeResult result = check();
    EXPECT_TRUE(result.made) << row.what;
    EXPECT_EQ(result.passed, row.passed) << row.what;
    EXPECT_EQ(result.detail, row.detail) << row.what;
    EXPECT_EQ(result.decides, row.decides) << row.what;
  }
}

TEST_F(RedisProbeTest, LogsInOnceAndKeepsItsSession) {
  config_.user = "app";
  config_.password = "a secret";
  config_.role = DatabaseRole::primary;
  redis_.replies["ROLE"] = kPrimary;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(check().passed);
  EXPECT_EQ(redis_.connections, 1);
  EXPECT_THAT(redis_.commands,
              ElementsAre("AUTH app a secret", "PING", "ROLE", "PING", "ROLE", "PING", "ROLE"));
}

TEST_F(RedisProbeTest, APasswordAloneIsTheDefaultUsers) {
  config_.password = "secret";
  EXPECT_TRUE(check().passed);
  EXPECT_THAT(redis_.commands, ElementsAre("AUTH secret", "PING"));
}

TEST_F(RedisProbeTest, AWrongPasswordIsToldInRedissWords) {
  config_.password = "secret";
  redis_.replies["AUTH"] = "-WRONGPASS invalid username-password pair\r\n";
  ProbeResult result = check();
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.detail, "WRONGPASS invalid username-password pair");
}

TEST_F(RedisProbeTest, ASessionThatWasLostIsRenewedInTheSameCheck) {
  config_.password = "secret";
  EXPECT_TRUE(check().passed);
  redis_.end_sessions();
  EXPECT_TRUE(check().passed);
  EXPECT_EQ(redis_.connections, 2);
  EXPECT_EQ(redis_.commands.back(), "PING");
  EXPECT_TRUE(check().passed);
  EXPECT_EQ(redis_.connections, 2);
}

TEST_F(RedisProbeTest, ANewSessionThatEndsIsAFailure) {
  redis_.replies["PING"] = "";
  std::optional<ProbeResult> result;
  probe_ = make_probe({loop_}, {.address = redis_.address()}, config_);
  probe_->start([&](ProbeResult r) { result = std::move(r); });
  ASSERT_TRUE(run_until(loop_, [&] { return redis_.commands.size() == 1; }));
  redis_.end_sessions();
  ASSERT_TRUE(run_until(loop_, [&] { return result.has_value(); }));
  EXPECT_FALSE(result->passed);
  EXPECT_EQ(result->detail, "closed by the server");
}

TEST_F(RedisProbeTest, ARefusedConnectIsAFailure) {
  probe_ = make_probe({loop_}, {.address = refusing_address()}, config_);
  EXPECT_EQ(check().detail, "Connection refused");
  probe_ = make_probe({loop_}, {.address = *Address::parse("unix:/no/such/x")}, config_);
  EXPECT_EQ(check().detail, "No such file or directory");
}

TEST_F(RedisProbeTest, WithoutDescriptorsNothingIsSaidOfTheServer) {
  EXPECT_TRUE(check().made);
  probe_.reset();
  NoDescriptors none;
  EXPECT_FALSE(check().made);
}

TEST_F(RedisProbeTest, CancellingEndsTheSession) {
  redis_.replies["PING"] = "";
  bool called = false;
  probe_ = make_probe({loop_}, {.address = redis_.address()}, config_);
  probe_->start([&](const ProbeResult&) { called = true; });
  ASSERT_TRUE(run_until(loop_, [&] { return redis_.commands.size() == 1; }));
  probe_->cancel();
  redis_.replies["PING"] = "+PONG\r\n";
  EXPECT_TRUE(check().passed);
  EXPECT_EQ(redis_.connections, 2);
  EXPECT_FALSE(called);
}

TEST_F(RedisProbeTest, ALateAnswerIsNotTakenForTheNextOne) {
  EXPECT_TRUE(check().passed);
  redis_.replies["PING"] = "";
  probe_->start([](const ProbeResult&) { FAIL(); });
  ASSERT_TRUE(run_until(loop_, [&] { return redis_.commands.size() == 2; }));
  probe_->cancel();
  redis_.replies["PING"] = "-LOADING\r\n";
  EXPECT_EQ(check().detail, "LOADING");
}

}  // namespace
}  // namespace lb
