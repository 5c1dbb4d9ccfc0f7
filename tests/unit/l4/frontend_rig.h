// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "../loopback.h"
#include "../pool/servers.h"
#include "../worker_rig.h"
#include "l4/tcp_frontend.h"

namespace lb {

// A frontend with one listening socket and one server, both of this test, on the test's loop.
class FrontendTest : public testing::Test {
 protected:
  FrontendTest() {
    listener_->name = "in";
    listener_->pool = "pool";
    pool_config_->name = "pool";
    add_server(server_.address());
    sockets_.push_back(listen());
  }

  static std::shared_ptr<const Fd> listen() {
    return std::make_shared<const Fd>(
        std::move(*listen_stream(*Address::parse("127.0.0.1:0"), {})));
  }
  void add_server(const Address& address) {
    Server& server = servers_.add(1, "s" + std::to_string(servers_.size()), address.to_string());
    members_.push_back({&server, ServerStatus::healthy, 1, kNoLimit, false});
  }
  FrontendPlan plan() {
    return {.config = listener_,
            .pool = std::make_shared<const Pool>(pool_config_, members_, servers_.load(), budget_),
            .limit = limit_,
            .sockets = sockets_,
            .clients = clients_,
            .stats = stats_};
  }
  void open() { frontend_ = std::make_unique<TcpFrontend>(rig_.context, plan()); }
  // The next plan is another object, as in a new snapshot.
  ListenerConfig& change() {
    auto next = std::make_shared<ListenerConfig>(*listener_);
    listener_ = next;
    return *next;
  }

  Fd connect(size_t socket = 0) { return connect_to(local_address(sockets_[socket]->get())); }
  bool run_until_sessions(size_t count) {
    return run_until(rig_.loop, [&] { return frontend_->session_count() == count; });
  }
  // The server's side of the next connection.
  Fd arrive() {
    Fd fd;
    EXPECT_TRUE(run_until(rig_.loop, [&] {
      fd = server_.try_accept();
      return static_cast<bool>(fd);
    }));
    return fd;
  }
  bool passes(const Fd& from, const Fd& to, const std::string& bytes) {
    send_some(from.get(), bytes);
    std::string got;
    return run_until(rig_.loop, [&] {
      receive(to.get(), got);
      return got == bytes;
    });
  }
  // How `fd` ends: 0 in order, else -errno.
  int end_of(const Fd& fd) {
    int end = -EAGAIN;
    std::string bytes;
    run_until(rig_.loop, [&] { return (end = receive(fd.get(), bytes)) != -EAGAIN; });
    return end;
  }

  WorkerRig rig_;
  Listening server_;
  Servers servers_{{}};
  std::vector<Member> members_;
  RetryBudget budget_{1};
  std::shared_ptr<ListenerConfig> listener_ = std::make_shared<ListenerConfig>();
  std::shared_ptr<PoolConfig> pool_config_ = std::make_shared<PoolConfig>();
  std::shared_ptr<ListenerStats> stats_ = std::make_shared<ListenerStats>(1);
  std::shared_ptr<ClientLimits> clients_ = std::make_shared<ClientLimits>();
  std::shared_ptr<ConnectionLimit> limit_ =
      std::make_shared<ConnectionLimit>(ConnectionLimit::kUnlimited, 1, [](size_t) {});
  std::vector<std::shared_ptr<const Fd>> sockets_;
  std::unique_ptr<TcpFrontend> frontend_;
};

}  // namespace lb
