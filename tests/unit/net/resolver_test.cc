// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fake_dns.h"
#include "net/event_loop.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class ResolverTest : public testing::Test {
 protected:
  // The search domains of the machine are no part of the tests.
  ResolverTest() { setenv("LOCALDOMAIN", "", 1); }
  ~ResolverTest() override {
    unsetenv("LOCALDOMAIN");
    unsetenv("RES_OPTIONS");
  }

  ResolverOptions options() const {
    return {.servers = dns_.address(), .timeout = milliseconds(5'000), .tries = 3};
  }

  Result<ResolvedHost> resolve(Resolver& resolver, const std::string& host) {
    std::optional<Result<ResolvedHost>> result;
    resolver.resolve(host, [&](Result<ResolvedHost> answer) { result = std::move(answer); });
    EXPECT_FALSE(result) << "called back from within resolve()";
    while (!result) loop_.run_turn();
    return *result;
  }
  Result<ResolvedHost> resolve(const std::string& host) {
    Resolver resolver(loop_, options());
    return resolve(resolver, host);
  }

  static std::vector<std::string> ips(const Result<ResolvedHost>& answer) {
    EXPECT_TRUE(answer) << answer.error().message;
    std::vector<std::string> texts;
    if (!answer) return texts;
    for (const Address& address : answer->addresses) {
      EXPECT_EQ(address.port(), 0);
      texts.push_back(address.ip_string());
    }
    return texts;
  }

  EventLoop loop_;
  FakeDns dns_{loop_};
};

TEST_F(ResolverTest, FindsTheAddressesOfBothFamilies) {
  dns_.set("db.test", {"10.0.0.1", "10.0.0.2", "2001:db8::1"}, 30);
  auto answer = resolve("db.test");
  EXPECT_THAT(ips(answer), UnorderedElementsAre("10.0.0.1", "10.0.0.2", "2001:db8::1"));
  EXPECT_EQ(answer->ttl, seconds(30));
  EXPECT_FALSE(answer->partial);
  EXPECT_THAT(dns_.asked, UnorderedElementsAre("udp db.test A", "udp db.test AAAA"));
}

TEST_F(ResolverTest, IsContentWithOneFamily) {
  dns_.set("v4.test", {"10.0.0.1"}, 30);
  dns_.set("v6.test", {"2001:db8::1"}, 40);
  auto v4 = resolve("v4.test");
  EXPECT_THAT(ips(v4), ElementsAre("10.0.0.1"));
  EXPECT_EQ(v4->ttl, seconds(30));
  EXPECT_FALSE(v4->partial);
  auto v6 = resolve("v6.test");
  EXPECT_THAT(ips(v6), ElementsAre("2001:db8::1"));
  EXPECT_EQ(v6->ttl, seconds(40));
}

TEST_F(ResolverTest, KeepsTheTtlOfTheRecordThatEndsFirst) {
  dns_.say("a.test", kA).ip("10.0.0.1", 300).ip("10.0.0.2", 20).ip("10.0.0.3", 100);
  dns_.say("a.test", kAaaa).ip("2001:db8::1", 60);
  EXPECT_EQ(resolve("a.test")->ttl, seconds(20));

  dns_.say("alias.test", kA)
      .add(kCname, 7, dns_name("real.test"))
      .add(kA, 500, "\x0a\x01\x01\x09", dns_name("real.test"));
  dns_.say("alias.test", kAaaa).add(kCname, 7, dns_name("real.test"));
  auto alias = resolve("alias.test");
  EXPECT_THAT(ips(alias), ElementsAre("10.1.1.9"));
  EXPECT_EQ(alias->ttl, seconds(7));

  dns_.set("zero.test", {"10.0.0.1"}, 0);
  EXPECT_EQ(resolve("zero.test")->ttl, seconds(0));
  dns_.set("negative.test", {"10.0.0.1"}, 0xffffffff);
  EXPECT_GE(resolve("negative.test")->ttl, seconds(0));
}

TEST_F(ResolverTest, GivesEachAddressOnceAndNoWildcard) {
  dns_.set("twice.test", {"10.0.0.1", "10.0.0.1", "0.0.0.0", "::", "2001:db8::1"}, 30);
  EXPECT_THAT(ips(resolve("twice.test")), UnorderedElementsAre("10.0.0.1", "2001:db8::1"));
}

TEST_F(ResolverTest, FailsForANameThatDoesNotExist) {
  auto answer = resolve("missing.test");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "cannot resolve 'missing.test': no such name");
}

TEST_F(ResolverTest, IsEmptyForANameWithoutAddresses) {
  dns_.set("empty.test", {}, 0);
  EXPECT_THAT(ips(resolve("empty.test")), ElementsAre());
  dns_.set("blocked.test", {"0.0.0.0", "::"}, 30);
  EXPECT_THAT(ips(resolve("blocked.test")), ElementsAre());
}

TEST_F(ResolverTest, FailsWhenTheServersFailOrTalkNonsense) {
  using std::string_literals::operator""s;
  struct Row {
    const char* what;
    DnsAnswer answer;
  };
  DnsAnswer too_many;
  too_many.ip("10.0.0.1", 30).count = 7;
  DnsAnswer long_data;
  long_data.records = "\xc0\x0c"s + dns_u16(kA) + dns_u16(1) + dns_u16(0) + dns_u16(30) +
                      dns_u16(60'000) + "\x0a\0\0\1"s;
  long_data.count = 1;
  DnsAnswer loop_in_name;
  loop_in_name.add(kA, 30, "\x0a\0\0\1"s, "\xc0\x1b");
  const Row rows[] = {
      {"SERVFAIL", {.rcode = 2}},
      {"REFUSED", {.rcode = 5}},
      {"NOTIMP", {.rcode = 4}},
      {"an answer cut short", {.raw = "\x81\x80\0\1\0\1"s}},
      {"bytes of no meaning", {.raw = std::string(300, '\xff')}},
      {"an answer to nothing", {.raw = "\x81\x80\0\0\0\0\0\0\0\0"s}},
      {"fewer records than announced", too_many},
      {"a record longer than the message", long_data},
      {"a name that points at itself", loop_in_name},
  };
  for (const Row& row : rows) {
    dns_.say("bad.test", kA) = row.answer;
    dns_.say("bad.test", kAaaa) = row.answer;
    Resolver resolver(loop_, {.servers = dns_.address(),
                              .timeout = milliseconds(20),
                              .tries = 2,
                              .limit = milliseconds(300)});
    auto answer = resolve(resolver, "bad.test");
    ASSERT_FALSE(answer) << row.what << ": " << testing::PrintToString(ips(answer));
    EXPECT_THAT(answer.error().message, HasSubstr("cannot resolve 'bad.test': ")) << row.what;
  }
}

TEST_F(ResolverTest, SaysWhenOnlyOneFamilyWasAnswered) {
  dns_.set("half.test", {"10.0.0.1"}, 30);
  dns_.say("half.test", kAaaa) = {.rcode = 2};
  auto answer = resolve("half.test");
  EXPECT_THAT(ips(answer), ElementsAre("10.0.0.1"));
  EXPECT_EQ(answer->ttl, seconds(30));
  EXPECT_TRUE(answer->partial);

  // Without an address it is an error: what failed may have some.
  dns_.set("half.test", {}, 30);
  dns_.say("half.test", kAaaa) = {.rcode = 2};
  EXPECT_FALSE(resolve("half.test"));
}

TEST_F(ResolverTest, AsksAgainOverTcpWhenTheAnswerWasCut) {
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) many.push_back("10.0.1." + std::to_string(i));
  dns_.set("big.test", many, 30);
  dns_.say("big.test", kA).truncated = true;
  EXPECT_THAT(ips(resolve("big.test")), testing::UnorderedElementsAreArray(many));
  EXPECT_THAT(dns_.asked,
              UnorderedElementsAre("udp big.test A", "udp big.test AAAA", "tcp big.test A"));
}

TEST_F(ResolverTest, TriesAgainWhenNothingComes) {
  dns_.say("silent.test", kA).silent = true;
  dns_.say("silent.test", kAaaa).silent = true;
  Resolver resolver(loop_, {.servers = dns_.address(), .timeout = milliseconds(10), .tries = 3});
  auto answer = resolve(resolver, "silent.test");
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("the name servers do not answer"));
  EXPECT_EQ(std::count(dns_.asked.begin(), dns_.asked.end(), "udp silent.test A"), 3);
  EXPECT_EQ(std::count(dns_.asked.begin(), dns_.asked.end(), "udp silent.test AAAA"), 3);
}

TEST_F(ResolverTest, EndsAtItsLimitWithWhatItHas) {
  dns_.set("slow.test", {"10.0.0.1"}, 30);
  dns_.say("slow.test", kAaaa).silent = true;
  ResolverOptions limited = options();
  limited.limit = milliseconds(500);
  Resolver resolver(loop_, limited);
  auto answer = resolve(resolver, "slow.test");
  EXPECT_THAT(ips(answer), ElementsAre("10.0.0.1"));
  EXPECT_TRUE(answer->partial);

  dns_.say("slow.test", kA).silent = true;
  EXPECT_THAT(resolve(resolver, "slow.test").error().message, HasSubstr("do not answer"));
}

TEST_F(ResolverTest, GoesOnToTheNextServer) {
  FakeDns dead(loop_);
  dead.say("db.test", kA).silent = true;
  dead.say("db.test", kAaaa) = {.rcode = 2};
  dns_.set("db.test", {"10.0.0.1"}, 30);
  Resolver resolver(
      loop_, {.servers = dead.address() + "," + dns_.address(), .timeout = milliseconds(200)});
  auto answer = resolve(resolver, "db.test");
  EXPECT_THAT(ips(answer), ElementsAre("10.0.0.1"));
  EXPECT_FALSE(answer->partial);
}

TEST_F(ResolverTest, FailsWhenNoServerListens) {
  std::string closed;
  {
    FakeDns gone(loop_);
    closed = gone.address();
  }
  Resolver resolver(loop_, {.servers = closed, .timeout = milliseconds(20), .tries = 2});
  EXPECT_THAT(resolve(resolver, "db.test").error().message, HasSubstr("the name servers"));
}

TEST_F(ResolverTest, FailsForServersThatAreNoAddresses) {
  Resolver resolver(loop_, {.servers = "not an address"});
  EXPECT_FALSE(resolve(resolver, "db.test"));
}

TEST_F(ResolverTest, AsksNobodyForNumbersAndForTheHostsFile) {
  EXPECT_THAT(ips(resolve("10.1.2.3")), ElementsAre("10.1.2.3"));
  EXPECT_THAT(ips(resolve("2001:db8::7")), ElementsAre("2001:db8::7"));
  auto local = resolve("localhost");
  EXPECT_THAT(ips(local), testing::Contains("127.0.0.1"));
  EXPECT_EQ(local->ttl, seconds(5));
  EXPECT_THAT(dns_.asked, ElementsAre());
}

TEST_F(ResolverTest, AppliesSearchDomainsToBothFamiliesTogether) {
  setenv("LOCALDOMAIN", "first.test second.test", 1);
  dns_.set("db.first.test", {"10.0.0.1"}, 30);
  dns_.set("db.second.test", {"10.9.9.9", "2001:db8::9"}, 30);
  dns_.set("web.second.test", {"10.0.0.2"}, 30);
  EXPECT_THAT(ips(resolve("db")), ElementsAre("10.0.0.1"));
  EXPECT_THAT(ips(resolve("web")), ElementsAre("10.0.0.2"));
  dns_.asked.clear();
  EXPECT_FALSE(resolve("none"));
  EXPECT_THAT(dns_.asked,
              UnorderedElementsAre("udp none.first.test A", "udp none.first.test AAAA",
                                   "udp none.second.test A", "udp none.second.test AAAA",
                                   "udp none A", "udp none AAAA"));
}

TEST_F(ResolverTest, AppliesSearchDomainsLastToNamesWithDots) {
  setenv("LOCALDOMAIN", "first.test", 1);
  dns_.set("db.corp", {"10.0.0.1"}, 30);
  dns_.set("db.corp.first.test", {"10.0.0.2"}, 30);
  EXPECT_THAT(ips(resolve("db.corp")), ElementsAre("10.0.0.1"));
  setenv("RES_OPTIONS", "ndots:2", 1);
  EXPECT_THAT(ips(resolve("db.corp")), ElementsAre("10.0.0.2"));
  EXPECT_THAT(ips(resolve("db.corp.")), ElementsAre("10.0.0.1"));
}

TEST_F(ResolverTest, StopsSearchingAtAnError) {
  setenv("LOCALDOMAIN", "first.test second.test", 1);
  dns_.say("db.first.test", kA) = {.rcode = 2};
  dns_.set("db.second.test", {"10.9.9.9"}, 30);
  EXPECT_FALSE(resolve("db"));
}

TEST_F(ResolverTest, IsEmptyWhenOneOfTheSearchedNamesExists) {
  setenv("LOCALDOMAIN", "first.test", 1);
  dns_.set("db.first.test", {}, 30);
  EXPECT_THAT(ips(resolve("db")), ElementsAre());
}

TEST_F(ResolverTest, RefusesNamesThatCannotBe) {
  for (const std::string& name :
       {std::string(), std::string("a..b"), std::string("."), std::string(64, 'a') + ".test",
        std::string(300, 'a'), std::string("a b.test"), std::string("[::1")}) {
    EXPECT_FALSE(resolve(name)) << name;
  }
}

TEST_F(ResolverTest, AnswersManyAtOnceWithinItsLimit) {
  ResolverOptions narrow = options();
  narrow.parallel = 3;
  Resolver resolver(loop_, narrow);
  size_t answered = 0;
  for (int i = 0; i < 50; ++i) {
    std::string name = "n" + std::to_string(i) + ".test";
    std::string ip = "10.0.0." + std::to_string(i + 1);
    dns_.set(name, {ip}, 30);
    resolver.resolve(name, [&answered, ip](Result<ResolvedHost> answer) {
      EXPECT_THAT(ips(answer), ElementsAre(ip));
      ++answered;
    });
  }
  while (answered < 50) loop_.run_turn();
  EXPECT_EQ(dns_.asked.size(), 100u);
}

TEST_F(ResolverTest, WaitsInLineWhileTheLookUpsBeforeAreOpen) {
  ResolverOptions narrow = options();
  narrow.parallel = 1;
  narrow.limit = milliseconds(40);
  Resolver resolver(loop_, narrow);
  dns_.say("silent.test", kA).silent = true;
  dns_.say("silent.test", kAaaa).silent = true;
  dns_.set("db.test", {"10.0.0.1"}, 30);
  std::vector<std::string> order;
  resolver.resolve("silent.test", [&](Result<ResolvedHost>) { order.push_back("silent.test"); });
  resolver.resolve("db.test", [&](Result<ResolvedHost>) { order.push_back("db.test"); });
  while (order.size() < 2) loop_.run_turn();
  EXPECT_THAT(order, ElementsAre("silent.test", "db.test"));
}

TEST_F(ResolverTest, CallsNobodyAfterItsEnd) {
  dns_.say("silent.test", kA).silent = true;
  dns_.say("silent.test", kAaaa).silent = true;
  dns_.set("half.test", {"10.0.0.1"}, 30);
  dns_.say("half.test", kAaaa).silent = true;
  dns_.say("tcp.test", kA).truncated = true;
  dns_.say("tcp.test", kAaaa).silent = true;
  ResolverOptions narrow = options();
  narrow.parallel = 3;
  auto resolver = std::make_unique<Resolver>(loop_, narrow);
  for (const char* name : {"silent.test", "half.test", "tcp.test", "waiting.test"}) {
    resolver->resolve(name, [](Result<ResolvedHost>) { FAIL() << "called back"; });
  }
  auto asked_over_tcp = [&] {
    return std::count(dns_.asked.begin(), dns_.asked.end(), "tcp tcp.test A") > 0;
  };
  while (dns_.asked.size() < 7 || !asked_over_tcp()) loop_.run_turn();
  resolver.reset();
  for (int i = 0; i < 20; ++i) loop_.run_turn(false);
}

TEST_F(ResolverTest, EndsBeforeItBegan) {
  auto resolver = std::make_unique<Resolver>(loop_, options());
  resolver->resolve("db.test", [](Result<ResolvedHost>) { FAIL() << "called back"; });
  resolver.reset();
  for (int i = 0; i < 5; ++i) loop_.run_turn(false);
  EXPECT_THAT(dns_.asked, ElementsAre());
}

TEST_F(ResolverTest, MayBeDestroyedByItsOwnCallback) {
  dns_.set("db.test", {"10.0.0.1"}, 30);
  for (const char* name : {"db.test", "10.0.0.1", "missing.test"}) {
    auto resolver = std::make_unique<Resolver>(loop_, options());
    resolver->resolve("silent.test", [](Result<ResolvedHost>) {});
    bool called = false;
    resolver->resolve(name, [&](Result<ResolvedHost>) {
      resolver.reset();
      called = true;
    });
    while (!called) loop_.run_turn();
    EXPECT_EQ(resolver, nullptr);
    for (int i = 0; i < 5; ++i) loop_.run_turn(false);
  }
}

TEST_F(ResolverTest, MayBeAskedAgainByItsCallback) {
  dns_.set("db.test", {"10.0.0.1"}, 1);
  Resolver resolver(loop_, options());
  int answers = 0;
  Resolver::Callback again = [&](Result<ResolvedHost> answer) {
    EXPECT_THAT(ips(answer), ElementsAre("10.0.0.1"));
    if (++answers < 5) resolver.resolve("db.test", again);
  };
  resolver.resolve("db.test", again);
  while (answers < 5) loop_.run_turn();
}

}  // namespace
}  // namespace lb
