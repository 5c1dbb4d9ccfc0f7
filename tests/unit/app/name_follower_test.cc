// SPDX-License-Identifier: MIT
#include "app/name_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../loopback.h"
#include "../net/fake_dns.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class NameFollowerTest : public testing::Test {
 protected:
  // The search domains of the machine are no part of the tests.
  NameFollowerTest() { setenv("LOCALDOMAIN", "", 1); }
  ~NameFollowerTest() override { unsetenv("LOCALDOMAIN"); }

  std::vector<std::string> ips(const std::string& host) {
    std::vector<std::string> texts;
    auto names = follower_->names();
    for (const Address& address : names[host]) texts.push_back(address.ip_string());
    return texts;
  }
  bool run_until_changes(int count) {
    return run_until(loop_, [&] { return changes_ >= count; });
  }
  size_t asked(const std::string& name) const {
    return static_cast<size_t>(
        std::count(dns_.asked.begin(), dns_.asked.end(), "udp " + name + " A"));
  }

  EventLoop loop_;
  FakeDns dns_{loop_};
  int changes_ = 0;
  std::unique_ptr<NameFollower> follower_ = std::make_unique<NameFollower>(
      loop_, [this] { ++changes_; },
      ResolverOptions{.servers = dns_.address(), .timeout = milliseconds(5'000), .tries = 2});
};

TEST_F(NameFollowerTest, KnowsWhatANameStandsForOnceItIsResolved) {
  dns_.set("db.test", {"10.0.0.2", "10.0.0.1"}, 300);
  follower_->add({"db.test"});
  EXPECT_THAT(follower_->names(), IsEmpty());
  ASSERT_TRUE(run_until_changes(1));
  EXPECT_THAT(ips("db.test"), ElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST_F(NameFollowerTest, ANumericAddressStandsForItself) {
  follower_->add({"127.0.0.9"});
  ASSERT_TRUE(run_until_changes(1));
  EXPECT_THAT(ips("127.0.0.9"), ElementsAre("127.0.0.9"));
  EXPECT_THAT(dns_.asked, IsEmpty());
}

TEST_F(NameFollowerTest, AsksOnceHoweverOftenANameIsAdded) {
  dns_.set("db.test", {"10.0.0.1"}, 300);
  for (int i = 0; i < 3; ++i) follower_->add({"db.test"});
  ASSERT_TRUE(run_until_changes(1));
  follower_->keep_only({"db.test"});
  EXPECT_TRUE(stays_away(
      loop_, [&] { return asked("db.test") > 1; }, milliseconds(20)));
}

TEST_F(NameFollowerTest, FollowsANameWhenItsTimeIsOver) {
  dns_.set("db.test", {"10.0.0.1"}, 0);  // kept for the shortest time, a second
  follower_->add({"db.test"});
  ASSERT_TRUE(run_until_changes(1));
  dns_.set("db.test", {"10.0.0.1", "10.0.0.2"}, 300);
  ASSERT_TRUE(run_until_changes(2));
  EXPECT_THAT(ips("db.test"), ElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST_F(NameFollowerTest, AnErrorIsAnAnswerThatChangesNothing) {
  bool answered = false;
  follower_->add({"missing.test"});
  follower_->when_answered({"missing.test"}, milliseconds(60'000), [&] { answered = true; });
  EXPECT_FALSE(answered);
  EXPECT_TRUE(run_until(loop_, [&] { return answered; }));
  EXPECT_EQ(changes_, 0);
  EXPECT_THAT(follower_->names(), IsEmpty());
  // And it is asked for again.
  dns_.set("missing.test", {"10.0.0.1"}, 300);
  EXPECT_TRUE(run_until_changes(1));
}

TEST_F(NameFollowerTest, WaitsForAllThatAreAwaitedAndNoOthers) {
  dns_.set("a.test", {"10.0.0.1"}, 300);
  dns_.set("b.test", {"10.0.0.2"}, 300);
  dns_.say("silent.test", kA).silent = true;
  dns_.say("silent.test", kAaaa).silent = true;
  follower_->add({"a.test", "b.test", "silent.test"});
  bool answered = false;
  std::vector<std::string> known;
  follower_->when_answered({"a.test", "b.test"}, milliseconds(60'000), [&] {
    answered = true;
    known = ips("a.test");
    for (const auto& ip : ips("b.test")) known.push_back(ip);
  });
  ASSERT_TRUE(run_until(loop_, [&] { return answered; }));
  EXPECT_THAT(known, ElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST_F(NameFollowerTest, WaitsNoLongerThanItsLimit) {
  dns_.say("silent.test", kA).silent = true;
  dns_.say("silent.test", kAaaa).silent = true;
  follower_->add({"silent.test"});
  int calls = 0;
  follower_->when_answered({"silent.test"}, milliseconds(20), [&] { ++calls; });
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(run_until(loop_, [&] { return calls == 1; }));
}

TEST_F(NameFollowerTest, CallsBackAtOnceWhereNothingIsToBeAwaited) {
  dns_.set("db.test", {"10.0.0.1"}, 300);
  follower_->add({"db.test"});
  ASSERT_TRUE(run_until_changes(1));
  int calls = 0;
  follower_->when_answered({}, milliseconds(60'000), [&] { ++calls; });
  EXPECT_EQ(calls, 1) << "no names at all";
  follower_->when_answered({"db.test"}, milliseconds(60'000), [&] { ++calls; });
  EXPECT_EQ(calls, 2) << "all have had their answers";
}

TEST_F(NameFollowerTest, ASecondWaitReplacesTheFirst) {
  dns_.set("a.test", {"10.0.0.1"}, 300);
  dns_.say("silent.test", kA).silent = true;
  dns_.say("silent.test", kAaaa).silent = true;
  follower_->add({"a.test", "silent.test"});
  bool first = false;
  bool second = false;
  follower_->when_answered({"silent.test"}, milliseconds(10), [&] { first = true; });
  follower_->when_answered({"a.test"}, milliseconds(60'000), [&] { second = true; });
  EXPECT_TRUE(run_until(loop_, [&] { return second; }));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return first; }, milliseconds(30)));
}

TEST_F(NameFollowerTest, TheCallbackMayWaitAgain) {
  dns_.set("a.test", {"10.0.0.1"}, 300);
  dns_.set("b.test", {"10.0.0.2"}, 300);
  follower_->add({"a.test"});
  bool done = false;
  follower_->when_answered({"a.test"}, milliseconds(60'000), [&] {
    follower_->keep_only({"b.test"});
    follower_->when_answered({"b.test"}, milliseconds(60'000), [&] { done = true; });
  });
  EXPECT_TRUE(run_until(loop_, [&] { return done; }));
  EXPECT_THAT(ips("a.test"), IsEmpty());
  EXPECT_THAT(ips("b.test"), ElementsAre("10.0.0.2"));
}

TEST_F(NameFollowerTest, ForgetsWhatItIsNotToKeep) {
  dns_.set("a.test", {"10.0.0.1"}, 300);
  dns_.set("b.test", {"10.0.0.2"}, 300);
  follower_->add({"a.test", "b.test"});
  ASSERT_TRUE(run_until_changes(2));
  follower_->keep_only({"b.test", "c.test"});
  EXPECT_THAT(ips("a.test"), IsEmpty());
  EXPECT_THAT(ips("b.test"), ElementsAre("10.0.0.2"));
  EXPECT_TRUE(run_until(loop_, [&] { return asked("c.test") == 1; })) << "new ones are followed";
}

TEST_F(NameFollowerTest, AnAnswerForANameThatIsForgottenIsNone) {
  dns_.set("a.test", {"10.0.0.1"}, 300);
  follower_->add({"a.test"});
  follower_->keep_only({});
  EXPECT_TRUE(run_until(loop_, [&] { return asked("a.test") > 0; }));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return changes_ > 0; }, milliseconds(20)));
  EXPECT_THAT(follower_->names(), IsEmpty());
}

TEST_F(NameFollowerTest, ItsEndIsTheEndOfItsQuestions) {
  dns_.set("a.test", {"10.0.0.1"}, 300);
  follower_->add({"a.test"});
  bool answered = false;
  follower_->when_answered({"a.test"}, milliseconds(5), [&] { answered = true; });
  follower_.reset();
  EXPECT_TRUE(stays_away(
      loop_, [&] { return answered || changes_ > 0; }, milliseconds(20)));
}

}  // namespace
}  // namespace lb
