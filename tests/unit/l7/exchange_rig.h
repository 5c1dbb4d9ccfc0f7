// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../loopback.h"
#include "../pool/servers.h"
#include "../worker_rig.h"
#include "l7/exchange.h"
#include "l7/http_frontend.h"
#include "l7/http_tools.h"
#include "l7/router.h"

namespace lb {

// The client's end of an exchange without any wire: remembers what it was given.
class FakeClient final : public ClientStream {
 public:
  std::vector<int> interims;
  int status = 0;  // 0 = no response yet
  std::string fields;
  std::string body;
  bool complete = false;
  bool was_cut = false;
  bool done = false;
  bool gone = false;
  bool blocked = false;
  bool paused = false;

 private:
  void send_interim(const ResponseHead& head) override { interims.push_back(head.status); }
  void send_response(const ResponseHead& head, const BodyPart& part) override {
    status = head.status;
    for (const Field& field : head.fields) {
      fields.append(field.name).append(": ").append(field.value).append("\n");
    }
    send_body(part);
  }
  void send_body(const BodyPart& part) override {
    body.append(part.bytes);
    complete |= part.is_last;
  }
  Pipe* body_pipe() override { return nullptr; }
  void cut() override { was_cut = true; }
  const TlsSession* tls() const override { return nullptr; }
  bool is_gone() const override { return gone; }
  bool is_blocked() const override { return blocked; }
  void pause_body() override { paused = true; }
  void resume_body() override { paused = false; }
  void exchange_done() override { done = true; }
};

// A request as a codec would tell of it.
struct Asked {
  const char* method = "GET";
  std::string body = {};
  bool complete = true;  // the body is
  const char* upgrade = "";
  std::vector<Field> fields = {};
};

// One exchange at a time between a fake client and servers that the test plays itself, at sockets
// of its own.
class ExchangeTest : public testing::Test {
 protected:
  ExchangeTest() {
    listener_->name = "in";
    listener_->http.routes.resize(1);
    listener_->http.routes[0].pools = {{"pool", 1}};
    pool_config_->name = "pool";
  }
  ~ExchangeTest() override {
    if (exchange_ && !client_.done) exchange_->client_gone();
    rig_.loop.retire(std::move(exchange_));
    frontend_.reset();
  }

  HttpRoute& route() { return listener_->http.routes[0]; }
  void add_server() {
    listening_.push_back(std::make_unique<Listening>());
    add_server(listening_.back()->address());
  }
  void add_server(const Address& address) {
    Server& server = servers_.add(1, "s" + std::to_string(servers_.size()), address.to_string());
    members_.push_back({&server, ServerStatus::healthy, 1, kNoLimit, false});
  }
  // With what was set before.
  void open() {
    Pools pools = {
        {"pool", std::make_shared<const Pool>(pool_config_, members_, servers_.load(), budget_)}};
    auto routes = make_route_table(listener_->http, pools, nullptr);
    FrontendPlan plan;
    plan.config = listener_;
    plan.limit = limit_;
    plan.clients = clients_;
    plan.protocol_plan = routes;
    plan.stats = stats_;
    frontend_ = std::make_unique<HttpFrontend>(tools_, std::move(plan));
  }

  void begin(const Asked& asked = {}) {
    if (!frontend_) open();
    rig_.loop.retire(std::exchange(exchange_, nullptr));
    client_ = {};
    RequestHead head;
    head.method_name = asked.method;
    head.method = method_of(asked.method);
    head.authority = "a.example";
    head.path = "/x";
    head.upgrade = asked.upgrade;
    head.fields = asked.fields;
    bool has_body = !asked.body.empty() || !asked.complete;
    if (has_body) head.body = asked.complete ? BodyKind::length : BodyKind::streamed;
    if (asked.complete) head.length = asked.body.size();
    exchange_ = std::make_unique<Exchange>(
        *frontend_, client_, RequestOrigin{*Address::parse("192.0.2.9:4000"), {}, false, false},
        head);
    exchange_->begin({asked.body, asked.complete, nullptr});
  }

  // The server's side of the next connection.
  Fd arrive(size_t server = 0) {
    Fd fd;
    EXPECT_TRUE(run_until(rig_.loop, [&] {
      fd = listening_[server]->try_accept();
      return static_cast<bool>(fd);
    }));
    return fd;
  }
  // What has come to that end once a whole head and `body` bytes more are there.
  std::string hears(const Fd& end, size_t body = 0) {
    std::string heard;
    EXPECT_TRUE(run_until(rig_.loop, [&] {
      receive(end.get(), heard);
      size_t head = heard.find("\r\n\r\n");
      return head != std::string::npos && heard.size() >= head + 4 + body;
    })) << heard;
    return heard;
  }
  void says(const Fd& end, std::string_view bytes) { send_some(end.get(), bytes); }
  bool is_done() {
    return run_until(rig_.loop, [&] { return client_.done; });
  }
  // How that end of a connection ends: 0 in order, else -errno.
  int end_of(const Fd& end) {
    int how = -EAGAIN;
    std::string bytes;
    run_until(rig_.loop, [&] { return (how = receive(end.get(), bytes)) != -EAGAIN; });
    return how;
  }
  size_t kept(size_t server = 0) { return tools_.servers.idle(*members_[server].server); }

  WorkerRig rig_;
  HttpTools tools_{rig_.context};
  std::vector<std::unique_ptr<Listening>> listening_;
  Servers servers_{{}};
  std::vector<Member> members_;
  RetryBudget budget_{1};
  std::shared_ptr<ListenerConfig> listener_ = std::make_shared<ListenerConfig>();
  std::shared_ptr<PoolConfig> pool_config_ = std::make_shared<PoolConfig>();
  std::shared_ptr<ConnectionLimit> limit_ =
      std::make_shared<ConnectionLimit>(ConnectionLimit::kUnlimited, 1, [](size_t) {});
  std::shared_ptr<ListenerStats> stats_ = std::make_shared<ListenerStats>(1);
  std::shared_ptr<ClientLimits> clients_ = std::make_shared<ClientLimits>();
  std::unique_ptr<HttpFrontend> frontend_;
  FakeClient client_;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace lb
