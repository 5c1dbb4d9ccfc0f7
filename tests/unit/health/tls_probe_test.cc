// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "../net/tls_rig.h"
#include "health/probe.h"
#include "health/tls_clients.h"

namespace lb {
namespace {

using testing::HasSubstr;

// A TLS server on a test's loop, for one connection at a time: shakes hands, then answers whatever
// comes with `answer` and, if told to, an end.
class TlsServer {
 public:
  TlsServer(EventLoop& loop, std::shared_ptr<const TlsServerContext> context)
      : loop_(loop), context_(std::move(context)) {
    accepting_.bind<&TlsServer::on_connection>(loop, listening_.fd(), IoEvent::kRead, this);
    accepting_.arm();
  }
  const Address& address() const { return listening_.address(); }

  std::string answer;
  bool close_afterwards = false;
  std::string received;
  std::string server_name;

 private:
  void on_connection() {
    readable_.disarm();
    Fd fd = listening_.try_accept();
    if (!fd) return;
    auto session = context_->accept(fd.get());
    stream_ = Stream(std::move(fd), std::move(session));
    shaken_ = false;
    readable_.bind<&TlsServer::on_readable>(loop_, stream_.fd(), IoEvent::kRead, this);
    readable_.arm();
  }
  void on_readable() {
    if (!shaken_) {
      Outcome outcome = stream_.handshake().outcome;
      if (outcome == Outcome::failed) readable_.disarm();
      if (outcome != Outcome::done) return;
      shaken_ = true;
      server_name = stream_.tls()->server_name();
    }
    std::array<char, 4096> block;
    Transfer transfer = stream_.read(block);
    if (transfer.outcome == Outcome::wants_read) return;
    if (transfer.outcome != Outcome::done) return readable_.disarm();
    received.append(block.data(), transfer.bytes);
    stream_.write(answer);
    if (!close_afterwards) return;
    readable_.disarm();
    stream_.close();
  }

  EventLoop& loop_;
  std::shared_ptr<const TlsServerContext> context_;
  Listening listening_;
  IoEvent accepting_;
  Stream stream_;
  IoEvent readable_;
  bool shaken_ = false;
};

class TlsProbes : public testing::Test {
 protected:
  // The certificate that the server shows.
  void serve(const std::string& names, long days = 30) {
    rig_.server_settings.certificates = {rig_.issue({.names = names.c_str(), .days = days}, "own")};
    rig_.make_server();
    server_ = std::make_unique<TlsServer>(loop_, rig_.server_context);
  }
  HealthCheckConfig of_type(CheckType type) {
    HealthCheckConfig config;
    config.type = type;
    config.host = "app.example";
    config.ca_file = rig_.ca;
    return config;
  }
  std::optional<ProbeResult> check(const HealthCheckConfig& config) {
    std::optional<ProbeResult> result;
    auto probe =
        make_probe({.loop = loop_, .tls = &clients_}, {.address = server_->address()}, config);
    probe->start([&](ProbeResult r) { result = std::move(r); });
    run_until(loop_, [&] { return result.has_value(); });
    return result;
  }

  EventLoop loop_;
  TlsRig rig_;
  TlsClients clients_;
  std::unique_ptr<TlsServer> server_;
};

TEST_F(TlsProbes, ShakeHandsAndTellWhenTheCertificateEnds) {
  serve("DNS:app.example", 9);
  auto result = check(of_type(CheckType::tls));
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed) << result->detail;
  EXPECT_THAT(result->detail, HasSubstr("handshake done, certificate until 20"));
  ASSERT_TRUE(result->certificate_ends_s);
  EXPECT_NEAR(static_cast<double>(*result->certificate_ends_s - unix_ms() / 1'000), 9 * 86'400.0,
              3'600);
  EXPECT_TRUE(run_until(loop_, [&] { return server_->server_name == "app.example"; }))
      << "the server's handshake is done, too";
}

TEST_F(TlsProbes, FailWhereTheCertificateIsNotTheServers) {
  serve("DNS:other.example");
  auto result = check(of_type(CheckType::tls));
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->passed);
  EXPECT_TRUE(result->made);
  EXPECT_THAT(result->detail, HasSubstr("hostname mismatch"));
  HealthCheckConfig unverified = of_type(CheckType::tls);
  unverified.verify = false;
  result = check(unverified);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed) << result->detail;
}

TEST_F(TlsProbes, FailWhereNobodySpeaksTls) {
  Listening plain;
  serve("DNS:app.example");
  std::optional<ProbeResult> result;
  auto probe = make_probe({.loop = loop_, .tls = &clients_}, {.address = plain.address()},
                          of_type(CheckType::tls));
  probe->start([&](ProbeResult r) { result = std::move(r); });
  Fd fd = plain.accept();
  send_some(fd.get(), "220 mail ready\r\n");
  ASSERT_TRUE(run_until(loop_, [&] { return result.has_value(); }));
  EXPECT_FALSE(result->passed);
  EXPECT_TRUE(result->made);
}

TEST_F(TlsProbes, AreNotMadeWithoutTheirAuthorities) {
  serve("DNS:app.example");
  HealthCheckConfig config = of_type(CheckType::https);
  config.ca_file = "/nonexistent/ca.pem";
  auto result = check(config);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->made);
  EXPECT_THAT(result->detail, HasSubstr("/nonexistent/ca.pem"));
}

TEST_F(TlsProbes, OfTypeHttpsAskAndJudgeLikeThoseOfHttp) {
  serve("DNS:app.example");
  const std::string body(40'000, 'x');
  server_->answer = "HTTP/1.1 200 OK\r\nendpoint-load-metrics: TEXT cpu=0.5\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body;
  auto result = check(of_type(CheckType::https));
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed) << result->detail;
  EXPECT_THAT(result->detail, HasSubstr("status 200, certificate until 20"));
  EXPECT_TRUE(result->certificate_ends_s);
  EXPECT_EQ(result->load, LoadReport{.cpu = 0.5});
  EXPECT_THAT(server_->received, HasSubstr("GET /health HTTP/1.1\r\nHost: app.example\r\n"));

  server_->answer = "HTTP/1.1 503 Busy\r\n\r\n";
  server_->close_afterwards = true;
  result = check(of_type(CheckType::https));
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->passed);
  EXPECT_THAT(result->detail, HasSubstr("status 503"));
}

TEST_F(TlsProbes, TakeTheNameWithoutItsPort) {
  serve("DNS:app.example");
  HealthCheckConfig config = of_type(CheckType::tls);
  config.host = "app.example:8443";
  auto result = check(config);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->passed) << result->detail;
}

TEST_F(TlsProbes, ShareOneContextWhileTheyLive) {
  TlsClientSettings settings{.ca_file = rig_.ca};
  auto one = clients_.get(settings).value();
  EXPECT_EQ(clients_.get(settings).value(), one);
  settings.verify = false;
  EXPECT_NE(clients_.get(settings).value(), one);
}

}  // namespace
}  // namespace lb
