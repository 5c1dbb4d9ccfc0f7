// SPDX-License-Identifier: MIT
// What the probes of databases have in common, and what they make of servers that are none. How
// they speak with real ones is in tests/integration/test_failover_*.py.
#include "health/session_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fake_server.h"
#include "health/probes.h"

namespace lb {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ReplayLag, IsWhatIsTold) {
  ReplayLag lag;
  EXPECT_EQ(lag.add(milliseconds(300), 1'000), milliseconds(300));
  EXPECT_EQ(lag.add(milliseconds(0), 2'000), milliseconds(0));
  EXPECT_EQ(lag.add(milliseconds(500), 3'000), milliseconds(500));
}

TEST(ReplayLag, GrowsNoFasterThanTime) {
  ReplayLag lag;
  EXPECT_EQ(lag.add(milliseconds(0), 1'000), milliseconds(0));
  EXPECT_EQ(lag.add(milliseconds(3'600'000), 2'000), milliseconds(1'000)) << "an old transaction";
  EXPECT_EQ(lag.add(milliseconds(3'600'000), 3'000), milliseconds(2'000));
}

TEST(ReplayLag, WhatIsNotToldGrowsFromWhatWasKnown) {
  ReplayLag lag;
  EXPECT_EQ(lag.add({}, 1'000), std::nullopt);
  EXPECT_EQ(lag.add(milliseconds(100), 2'000), milliseconds(100));
  EXPECT_EQ(lag.add({}, 3'000), milliseconds(1'100));
  EXPECT_EQ(lag.add({}, 13'000), milliseconds(11'100));
  EXPECT_EQ(lag.add(milliseconds(50), 14'000), milliseconds(50));
}

TEST(SessionProbe, KeepsTheFirstLineOfWhatIsSaid) {
  EXPECT_EQ(first_line("FATAL:  no\nDETAIL: x\n"), "FATAL:  no");
  EXPECT_EQ(first_line("\n  one \r\ntwo"), "one");
  EXPECT_EQ(first_line(""), "");
  EXPECT_EQ(first_line(std::string(5'000, 'x')).size(), 200U);
}

TEST(SessionProbe, WritesAddressesAsLibrariesTakeThem) {
  EXPECT_EQ(numeric_host(*Address::parse("10.0.0.1:80")), "10.0.0.1");
  EXPECT_EQ(numeric_host(*Address::parse("[2001:db8::1]:80")), "2001:db8::1");
  EXPECT_THAT(numeric_host(*Address::parse("[fe80::1%lo]:80")), testing::StartsWith("fe80::1%"));
}

// Each type of check that logs in with a library.
class LibraryProbe : public testing::TestWithParam<CheckType> {
 protected:
  LibraryProbe() {
    config_.type = GetParam();
    config_.user = "app";
    config_.password = "secret";
  }

  ProbeResult check(const Address& address) {
    probe_ = make_probe({loop_}, {.address = address}, config_);
    std::optional<ProbeResult> result;
    probe_->start([&](ProbeResult r) { result = std::move(r); });
    EXPECT_FALSE(result) << "called back from within start()";
    EXPECT_TRUE(run_until(loop_, [&] { return result.has_value(); }));
    return result.value_or(ProbeResult{.detail = "no answer"});
  }

  EventLoop loop_;
  HealthCheckConfig config_;
  std::unique_ptr<Probe> probe_;
};

TEST_P(LibraryProbe, ARefusedConnectIsAFailure) {
  for (int i = 0; i < 2; ++i) {
    ProbeResult result = check(refusing_address());
    EXPECT_FALSE(result.passed);
    EXPECT_TRUE(result.made);
    EXPECT_FALSE(result.decides);
    EXPECT_THAT(result.detail, testing::AnyOf(HasSubstr("refused"), HasSubstr("(111)")));
  }
}

TEST_P(LibraryProbe, AMissingUnixSocketIsAFailure) {
  ProbeResult result = check(*Address::parse("unix:/no/such/.s.PGSQL.5432"));
  EXPECT_FALSE(result.passed);
  EXPECT_THAT(result.detail, testing::AnyOf(HasSubstr("No such file"), HasSubstr("(2)")));
}

TEST_P(LibraryProbe, AServerThatIsSomethingElseIsAFailure) {
  const std::string rows[] = {
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      std::string(100, '\0'),
      std::string(100, '\xff'),
      pattern(100'000),
      "R",
      "E\xff\xff\xff\xff",
      std::string("\x03\0\0\0\x0a\x31", 6),
      "",
  };
  for (const std::string& bytes : rows) {
    FakeServer server(loop_);
    server.pieces = {bytes};
    server.close_afterwards = true;
    ProbeResult result = check(server.address());
    EXPECT_FALSE(result.passed) << bytes.substr(0, 50);
    EXPECT_FALSE(result.detail.empty()) << bytes.substr(0, 50);
    EXPECT_THAT(result.detail, Not(HasSubstr("\n")));
    EXPECT_LE(result.detail.size(), 200U);
  }
}

TEST_P(LibraryProbe, CancellingASilentLoginEndsItsConnection) {
  FakeServer server(loop_);
  bool called = false;
  probe_ = make_probe({loop_}, {.address = server.address()}, config_);
  for (int i = 1; i <= 2; ++i) {
    server.client_closed = false;
    probe_->start([&](const ProbeResult&) { called = true; });
    ASSERT_TRUE(run_until(loop_, [&] { return server.connections == i; }));
    probe_->cancel();
    EXPECT_TRUE(run_until(loop_, [&] { return server.client_closed; }));
  }
  EXPECT_FALSE(called);
  probe_->start([&](const ProbeResult&) { called = true; });
  probe_.reset();
  EXPECT_FALSE(called);
}

TEST_P(LibraryProbe, WithoutDescriptorsNothingIsSaidOfTheServer) {
  FakeServer server(loop_);
  EXPECT_TRUE(check(refusing_address()).made);
  probe_.reset();
  NoDescriptors none;
  EXPECT_FALSE(check(server.address()).made);
}

INSTANTIATE_TEST_SUITE_P(, LibraryProbe, testing::Values(CheckType::postgres, CheckType::mysql),
                         [](const auto& type) {
                           return type.param == CheckType::postgres ? "Postgres" : "Mysql";
                         });

TEST(PostgresProbe, KnowsUnixSocketsByTheirName) {
  EventLoop loop;
  HealthCheckConfig config{.type = CheckType::postgres};
  config.user = "app";
  auto probe = make_probe({loop}, {.address = *Address::parse("unix:/run/app.sock")}, config);
  std::optional<ProbeResult> result;
  probe->start([&](ProbeResult r) { result = std::move(r); });
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_EQ(result->detail, "a unix socket of PostgreSQL is called /DIRECTORY/.s.PGSQL.PORT");
}

}  // namespace
}  // namespace lb
