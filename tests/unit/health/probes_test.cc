// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../net/fake_dns.h"
#include "fake_server.h"
#include "health/probe.h"
#include "http2_frames.h"

namespace lb {
namespace {

using testing::HasSubstr;
using Pieces = std::vector<std::string>;

// The result of one check, or none when it does not come.
std::optional<ProbeResult> check(EventLoop& loop, const Address& address,
                                 const HealthCheckConfig& config) {
  std::optional<ProbeResult> result;
  auto probe = make_probe({loop}, {.address = address}, config);
  probe->start([&](ProbeResult r) { result = std::move(r); });
  EXPECT_FALSE(result) << "called back from within start()";
  run_until(loop, [&] { return result.has_value(); });
  return result;
}

HealthCheckConfig of_type(CheckType type) {
  HealthCheckConfig config;
  config.type = type;
  return config;
}

struct Row {
  const char* what;
  Pieces pieces;
  bool close;
  bool passed;
  std::string detail;
};

void expect_rows(const std::vector<Row>& rows, const HealthCheckConfig& config) {
  for (const Row& row : rows) {
    EventLoop loop;
    FakeServer server(loop);
    server.pieces = row.pieces;
    server.close_afterwards = row.close;
    auto result = check(loop, server.address(), config);
    ASSERT_TRUE(result) << row.what;
    EXPECT_EQ(result->passed, row.passed) << row.what;
    EXPECT_TRUE(result->made) << row.what;
    EXPECT_THAT(result->detail, HasSubstr(row.detail)) << row.what;
  }
}

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(HttpProbe, JudgesTheStatus) {
  expect_rows({{"200", {kOk}, false, true, "status 200"},
               {"slowly", {"HTTP/1.1 20", "4\r\n", "\r\n"}, false, true, "status 204"},
               {"a redirect", {"HTTP/1.1 302 Found\r\n\r\n"}, true, true, "status 302"},
               {"404", {"HTTP/1.1 404 Not Found\r\n\r\n"}, true, false, "status 404"},
               {"503", {"HTTP/1.0 503 Busy\r\n\r\nno"}, true, false, "status 503"},
               {"no HTTP", {"+PONG\r\n"}, false, false, "no HTTP answer"},
               {"nothing", {}, true, false, "closed without an answer"},
               {"half", {kOk.substr(0, kOk.size() - 1)}, true, false, "in the middle of the body"}},
              of_type(CheckType::http));
}

TEST(HttpProbe, JudgesByRangesAndBody) {
  HealthCheckConfig config = of_type(CheckType::http);
  config.expect_status = {{200, 204}, {503, 503}};
  config.expect_body = "rea\"dy";
  auto with_body = [](const std::string& status, const std::string& body) {
    return Pieces{"HTTP/1.1 " + status + "\r\n\r\n" + body};
  };
  const std::string far(60'000, 'x');
  expect_rows({{"it is there", with_body("200 OK", "is rea\"dy."), true, true, "status 200"},
               {"far behind", with_body("503 Busy", far + "rea\"dy"), true, true, "status 503"},
               {"too far", with_body("200 OK", far + far + "rea\"dy"), true, false,
                "status 200, but not the expected body"},
               {"it is not", with_body("204 OK", ""), true, false, "not the expected body"},
               {"another status", with_body("205 OK", "rea\"dy"), true, false, "status 205"}},
              config);
}

TEST(HttpProbe, AsksAsConfigured) {
  EventLoop loop;
  FakeServer server(loop);
  server.pieces = {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"};
  HealthCheckConfig config = of_type(CheckType::http);
  config.method = "HEAD";
  config.path = "/ready?deep=1";
  config.host = "app.example";
  auto result = check(loop, server.address(), config);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed) << "no body follows an answer to HEAD";
  EXPECT_EQ(server.received,
            "HEAD /ready?deep=1 HTTP/1.1\r\nHost: app.example\r\nUser-Agent: lb\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n");
}

TEST(HttpProbe, NamesTheServerInHostWhereTheConfigurationDoesNot) {
  EventLoop loop;
  FakeServer server(loop);
  server.pieces = {kOk};
  check(loop, server.address(), of_type(CheckType::http));
  EXPECT_THAT(server.received,
              HasSubstr("GET /health HTTP/1.1\r\nHost: " + server.address().to_string() + "\r\n"));
}

TEST(HttpProbe, ReadsTheLoadFromHeaderOrBody) {
  struct Loaded {
    const char* what;
    std::string answer;
    std::optional<double> cpu;
  };
  const std::string head = "HTTP/1.1 200 OK\r\n";
  const std::string header = "endpoint-load-metrics: TEXT cpu=0.5\r\n";
  const Loaded rows[] = {
      {"a header", head + header + "\r\n", 0.5},
      {"a body", head + "\r\n{\"cpu\": 25}", 0.25},
      {"both", head + header + "\r\n{\"cpu\": 25}", 0.5},
      {"a failure says it too", "HTTP/1.1 503 Busy\r\n\r\n{\"cpu\": 25}", 0.25},
      {"neither", head + "\r\nok", std::nullopt},
  };
  for (const Loaded& row : rows) {
    EventLoop loop;
    FakeServer server(loop);
    server.pieces = {row.answer};
    server.close_afterwards = true;
    auto result = check(loop, server.address(), of_type(CheckType::http));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->load ? result->load->cpu : std::nullopt, row.cpu) << row.what;
  }
}

TEST(HttpProbe, EndsAnEndlessAnswer) {
  EventLoop loop;
  FakeServer server(loop);
  server.pieces = {"HTTP/1.1 200 OK\r\n\r\n", std::string(100'000, 'x')};
  auto result = check(loop, server.address(), of_type(CheckType::http));
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed);
  EXPECT_TRUE(run_until(loop, [&] { return server.client_closed; }));
}

TEST(AgentProbe, ReadsOneLine) {
  const std::string endless(600, ' ');
  expect_rows({{"up", {"up\n"}, false, true, "the agent said 'up'"},
               {"without an end of line", {"75%"}, true, true, "the agent said '75%'"},
               {"in pieces", {"rea", "dy\r", "\n"}, false, true, "'ready'"},
               {"down", {"down # disk full\n"}, false, false, "'down # disk full'"},
               {"nothing", {}, true, false, "the agent said nothing"},
               {"an empty line", {"\n"}, false, false, "the agent said nothing"},
               {"no word of ours", {"hello\n"}, false, false, "'hello', which means nothing"},
               {"a line without end", {endless}, false, false, "longer than 512 bytes"}},
              of_type(CheckType::agent));
}

TEST(AgentProbe, TellsWhatTheAgentWishes) {
  EventLoop loop;
  FakeServer server(loop);
  server.pieces = {"drain 75%\n"};
  auto result = check(loop, server.address(), of_type(CheckType::agent));
  ASSERT_TRUE(result);
  AgentWish wish{.state = AdminState::drain, .weight_percent = 75};
  EXPECT_EQ(result->agent, wish);
  EXPECT_EQ(result->load, LoadReport{.cpu = 0.25});
}

TEST(GrpcProbe, PassesOnServingAlone) {
  const std::string head = http2_head({{":status", "200"}});
  const std::string fine = http2_head({{"grpc-status", "0"}}, true);
  auto answer = [&](const std::string& message) {
    return http2_settings() + head + http2_data(grpc_message(message)) + fine;
  };
  const std::string ping = http2_frame(6, 0, 0, std::string(8, 'x'));
  std::string pings;
  for (int i = 0; i < 5'000; ++i) pings += ping;
  expect_rows({{"serving", {answer("\x08\x01")}, false, true, "SERVING"},
               {"not serving", {answer("\x08\x02")}, false, false, "NOT_SERVING"},
               {"closed", {http2_settings()}, true, false, "closed before the answer"},
               {"HTTP/1", {kOk}, false, false, "no HTTP/2 answer"},
               {"pings without end", {http2_settings(), pings}, false, false, "more than 64 KiB"}},
              of_type(CheckType::grpc));
}

class DnsProbe : public testing::Test {
 protected:
  std::optional<ProbeResult> ask(const std::string& name = "db.example") {
    HealthCheckConfig config = of_type(CheckType::dns);
    config.query = {name, 1};
    return check(loop_, *Address::parse(server_.address()), config);
  }
  EventLoop loop_;
  FakeDns server_{loop_};
};

TEST_F(DnsProbe, PassesOnNoError) {
  server_.set("db.example", {"10.0.0.1", "10.0.0.2"}, 60);
  auto result = ask();
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed);
  EXPECT_EQ(result->detail, "NOERROR, 2 records");
}

TEST_F(DnsProbe, FailsOnEveryOtherCode) {
  const std::pair<int, std::string> rows[] = {{1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"},
                                              {4, "NOTIMP"},  {5, "REFUSED"},  {9, "rcode 9"}};
  for (const auto& [rcode, name] : rows) {
    server_.say("db.example", kA) = {.rcode = rcode};
    auto result = ask();
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->passed);
    EXPECT_EQ(result->detail, name);
  }
}

TEST_F(DnsProbe, AsksAgainOverTcpWhereTheAnswerIsTooLong) {
  server_.set("db.example", {"10.0.0.1"}, 60);
  server_.say("db.example", kA).truncated = true;
  auto result = ask();
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed);
  EXPECT_EQ(server_.asked, (std::vector<std::string>{"udp db.example A", "tcp db.example A"}));
}

TEST_F(DnsProbe, FailsOnABrokenAnswer) {
  server_.set("db.example", {"10.0.0.1"}, 60);
  server_.say("db.example", kA).count = 2;
  auto result = ask();
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->passed);
  EXPECT_EQ(result->detail, "a broken answer");
}

TEST_F(DnsProbe, FailsWhereNobodyListens) {
  auto result = check(loop_, refusing_address(), of_type(CheckType::dns));
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->passed);
  EXPECT_EQ(result->detail, "Connection refused");
}

TEST_F(DnsProbe, WaitsOnAfterWhatIsNoAnswerToIt) {
  server_.say("db.example", kA).raw = "noise";
  HealthCheckConfig config = of_type(CheckType::dns);
  config.query = {"db.example", 1};
  auto probe = make_probe({loop_}, {.address = *Address::parse(server_.address())}, config);
  bool called = false;
  probe->start([&](const ProbeResult&) { called = true; });
  EXPECT_TRUE(run_until(loop_, [&] { return !server_.asked.empty(); }));
  EXPECT_TRUE(stays_away(
      loop_, [&] { return called; }, std::chrono::milliseconds(20)));
}

TEST(Probes, OfEveryTypeFailWithAReasonAndGoOn) {
  for (CheckType type : {CheckType::tcp, CheckType::http, CheckType::grpc, CheckType::agent}) {
    EventLoop loop;
    auto probe = make_probe({loop}, {.address = refusing_address()}, of_type(type));
    for (int i = 0; i < 2; ++i) {
      std::optional<ProbeResult> result;
      probe->start([&](ProbeResult r) { result = std::move(r); });
      ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
      EXPECT_FALSE(result->passed);
      EXPECT_EQ(result->detail, "Connection refused");
    }
  }
}

TEST(Probes, OfEveryTypeEndWhenTheyAreCancelled) {
  for (CheckType type : {CheckType::tcp, CheckType::http, CheckType::grpc, CheckType::agent}) {
    EventLoop loop;
    FakeServer server(loop);
    HealthCheckConfig config = of_type(type);
    if (type == CheckType::tcp) config.expect = "never said";
    auto probe = make_probe({loop}, {.address = server.address()}, config);
    bool called = false;
    probe->start([&](const ProbeResult&) { called = true; });
    ASSERT_TRUE(run_until(loop, [&] { return server.connections == 1; }));
    probe->cancel();
    EXPECT_TRUE(run_until(loop, [&] { return server.client_closed; }));
    EXPECT_FALSE(called);
  }
}

TEST(Probes, WithoutTheMeansMakeNoCheck) {
  for (CheckType type :
       {CheckType::tcp, CheckType::http, CheckType::grpc, CheckType::dns, CheckType::agent}) {
    EventLoop loop;
    Address address = refusing_address();
    auto probe = make_probe({loop}, {.address = address}, of_type(type));
    std::optional<ProbeResult> result;
    auto keep = [&](ProbeResult r) { result = std::move(r); };
    probe->start(keep);
    ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
    EXPECT_TRUE(result->made);
    result.reset();
    {
      NoDescriptors none;
      probe->start(keep);
    }
    ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
    EXPECT_FALSE(result->made);
    EXPECT_EQ(result->detail, "Too many open files");
  }
}

}  // namespace
}  // namespace lb
