// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fake_server.h"
#include "health/probe.h"

namespace lb {
namespace {

using testing::HasSubstr;
using Pieces = std::vector<std::string>;

// The result of one probe, or none when it does not come.
std::optional<ProbeResult> probe(EventLoop& loop, const Address& address,
                                 const HealthCheckConfig& config) {
  std::optional<ProbeResult> result;
  int calls = 0;
  auto probe = make_probe({loop}, {.address = address}, config);
  probe->start([&](ProbeResult r) {
    result = std::move(r);
    ++calls;
  });
  EXPECT_FALSE(result) << "called back from within start()";
  run_until(loop, [&] { return result.has_value(); });
  for (int i = 0; i < 3; ++i) loop.run_turn(false);
  EXPECT_EQ(calls, 1);
  return result;
}

TEST(TcpProbe, ComparesTheAnswerWithWhatIsExpected) {
  struct Row {
    const char* what;
    std::string send;
    std::string expect;
    Pieces pieces;
    bool close;
    bool passed;
    std::string detail;
  };
  const std::string large = pattern(5'000);
  const Row rows[] = {
      {"a connect alone", "", "", {}, false, true, "connected"},
      {"the answer", "PING\r\n", "+PONG", {"+PONG"}, false, true, "as expected"},
      {"the answer and more", "PING\r\n", "+PONG", {"+PONG\r\nand so on"}, false, true, "expected"},
      {"in pieces", "PING\r\n", "+PONG", {"+", "PO", "NG\r\n"}, false, true, "as expected"},
      {"a greeting, unasked", "", "220 ", {"220 mail ready\r\n"}, false, true, "as expected"},
      {"more than one buffer",
       "",
       large,
       {large.substr(0, 2'500), large.substr(2'500)},
       false,
       true,
       "as expected"},
      {"another answer",
       "PING\r\n",
       "+PONG",
       {"-ERR\r\n"},
       false,
       false,
       "other than the expected"},
      {"another answer in the end", "", "+PONG", {"+PO", "TT"}, false, false, "other than"},
      {"the beginning of the answer", "", "+PONG", {"+PO"}, true, false, "closed before"},
      {"no answer", "PING\r\n", "+PONG", {}, true, false, "closed before"},
      {"a zero byte is a byte",
       "",
       std::string("a\0b", 3),
       {std::string("a\0c", 3)},
       false,
       false,
       "other than"},
  };
  for (const Row& row : rows) {
    EventLoop loop;
    FakeServer server(loop);
    server.pieces = row.pieces;
    server.close_afterwards = row.close;
    HealthCheckConfig config;
    config.send = row.send;
    config.expect = row.expect;
    auto result = probe(loop, server.address(), config);
    ASSERT_TRUE(result) << row.what;
    EXPECT_EQ(result->passed, row.passed) << row.what << ": " << result->detail;
    EXPECT_THAT(result->detail, HasSubstr(row.detail)) << row.what;
    EXPECT_TRUE(run_until(loop, [&] { return server.received.size() >= row.send.size(); }));
    EXPECT_EQ(server.received, row.send) << row.what;
  }
}

TEST(TcpProbe, ARefusedConnectIsAFailure) {
  EventLoop loop;
  auto result = probe(loop, refusing_address(), {});
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->passed);
  EXPECT_EQ(result->detail, "Connection refused");
}

TEST(TcpProbe, AConnectThatFailsAtOnceIsToldLater) {
  EventLoop loop;
  auto result = probe(loop, *Address::parse("unix:/no/such/x.sock"), {});
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->passed);
  EXPECT_EQ(result->detail, "No such file or directory");
}

TEST(TcpProbe, AResetIsAFailure) {
  EventLoop loop;
  FakeServer server(loop);
  server.reset_at_once = true;
  HealthCheckConfig config;
  config.expect = "hello";
  auto result = probe(loop, server.address(), config);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->passed);
  EXPECT_EQ(result->detail, "Connection reset by peer");
}

TEST(TcpProbe, SendsMoreThanASocketTakesAtOnce) {
  EventLoop loop;
  FakeServer server(loop);
  HealthCheckConfig config;
  config.send = pattern(12'000'000);
  config.expect = "thanks";
  server.pieces = {"thanks"};
  server.after_bytes = config.send.size();
  auto result = probe(loop, server.address(), config);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed) << result->detail;
  EXPECT_TRUE(run_until(loop, [&] { return server.received.size() == config.send.size(); }));
  EXPECT_TRUE(server.received == config.send);
}

TEST(TcpProbe, DestroyingOrCancellingItEndsIt) {
  for (bool destroy : {true, false}) {
    EventLoop loop;
    FakeServer server(loop);
    HealthCheckConfig config;
    config.expect = "never said";
    bool called = false;
    auto probe = make_probe({loop}, {.address = server.address()}, config);
    probe->start([&](const ProbeResult&) { called = true; });
    ASSERT_TRUE(run_until(loop, [&] { return server.connections == 1; }));
    if (destroy) {
      probe.reset();
    } else {
      probe->cancel();
    }
    EXPECT_TRUE(run_until(loop, [&] { return server.client_closed; }));
    EXPECT_FALSE(called);
  }
}

TEST(TcpProbe, TheCallbackMayCancelItAndStartTheNextCheck) {
  EventLoop loop;
  FakeServer server(loop);
  for (const Address& address :
       {server.address(), refusing_address(), *Address::parse("unix:/no/such/x.sock")}) {
    auto probe = make_probe({loop}, {.address = address}, {});
    int results = 0;
    probe->start([&](const ProbeResult& first) {
      probe->cancel();
      probe->start([&, passed = first.passed](const ProbeResult& second) {
        results = 2;
        EXPECT_EQ(second.passed, passed);
      });
    });
    EXPECT_TRUE(run_until(loop, [&] { return results == 2; }));
  }
}

TEST(TcpProbe, EachCheckBeginsAnew) {
  EventLoop loop;
  FakeServer server(loop);
  server.pieces = {"+PO", "NG"};
  HealthCheckConfig config;
  config.send = "PING";
  config.expect = "+PONG";
  auto probe = make_probe({loop}, {.address = server.address()}, config);
  for (int i = 0; i < 3; ++i) {
    bool passed = false;
    probe->start([&](const ProbeResult& result) { passed = result.passed; });
    EXPECT_TRUE(run_until(loop, [&] { return passed; }));
  }
  EXPECT_EQ(server.connections, 3);
}

}  // namespace
}  // namespace lb
