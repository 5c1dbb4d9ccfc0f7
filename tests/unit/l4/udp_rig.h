// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../loopback.h"
#include "../pool/servers.h"
#include "../worker_rig.h"
#include "l4/udp_frontend.h"

namespace lb {

// A bound UDP socket of the test: a client, or a server that notes who sent.
class Peer {
 public:
  explicit Peer(const char* ip = "127.0.0.1") {
    Address address = *Address::parse_ip(ip, 0);
    fd_ = Fd(socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(fd_.get(), address.data(), address.length()), 0);
    address_ = local_address(fd_.get());
  }

  const Address& address() const { return address_; }
  void send(const std::string& bytes, const Address& to) const {
    sendto(fd_.get(), bytes.data(), bytes.size(), 0, to.data(), to.length());
  }
  void answer(const std::string& bytes) const { send(bytes, from_); }
  // The next datagram, if one is there.
  std::optional<std::string> receive() {
    static char buffer[65'536];
    Endpoint4or6 from;
    socklen_t length = sizeof(from.v6);
    ssize_t got = recvfrom(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT, &from.base, &length);
    if (got < 0) return {};
    from_ = Address::from_sockaddr(&from.base, length);
    return std::string(buffer, static_cast<size_t>(got));
  }
  const Address& from() const { return from_; }
  // What comes now is answered by ICMP.
  void close() { fd_.reset(); }

 private:
  Fd fd_;
  Address address_;
  Address from_;
};

// A UDP listener of one worker, with servers that the test plays.
class UdpRig : public testing::Test {
 protected:
  UdpRig() {
    listener_->name = "in";
    listener_->pool = "pool";
    listener_->protocol = Protocol::udp;
    listener_->timeouts.idle = std::chrono::milliseconds(30'000);
    pool_config_->name = "pool";
    add_server();
    listen("127.0.0.1");
  }

  void listen(const char* ip) {
    sockets_ = {
        std::make_shared<const Fd>(std::move(*listen_datagrams(*Address::parse_ip(ip, 0), {})))};
    at_ = local_address(sockets_[0]->get());
  }
  Peer& add_server() {
    servers_ends_.emplace_back();
    return add_server(servers_ends_.back().address());
  }
  Peer& add_server(const Address& address) {
    Server& server = servers_.add(1, "s" + std::to_string(servers_.size()), address.to_string());
    members_.push_back({.server = &server, .status = ServerStatus::healthy});
    return servers_ends_.back();
  }
  FrontendPlan plan() {
    return {.config = listener_,
            .pool = std::make_shared<const Pool>(pool_config_, members_, servers_.load(), budget_),
            .limit = limit_,
            .sockets = sockets_,
            .datagrams = limits_,
            .drain_timeout = drain_timeout_,
            .stats = stats_};
  }
  void open() { frontend_ = std::make_unique<UdpFrontend>(rig_.context, plan()); }
  std::string wait_for(Peer& peer) {
    std::optional<std::string> got;
    EXPECT_TRUE(run_until(rig_.loop, [&] {
      got = peer.receive();
      return got.has_value();
    }));
    return got.value_or("nothing came");
  }
  bool nothing_comes(Peer& peer) {
    return stays_away(
        rig_.loop, [&] { return peer.receive().has_value(); }, std::chrono::milliseconds(20));
  }
  uint64_t dropped(Dropped reason) const { return limits_->dropped[static_cast<size_t>(reason)]; }
  Peer& server(size_t i) { return servers_ends_[i]; }
  // The server that has got this client's datagram.
  size_t exchange(Peer& client, const std::string& bytes = "?") {
    client.send(bytes, at_);
    size_t where = 99;
    EXPECT_TRUE(run_until(rig_.loop, [&] {
      for (size_t i = 0; i < servers_ends_.size(); ++i) {
        if (server(i).receive() == bytes) where = i;
      }
      return where != 99;
    }));
    if (where != 99) server(where).answer("!" + bytes);
    EXPECT_EQ(wait_for(client), "!" + bytes);
    return where;
  }

  WorkerRig rig_;
  std::deque<Peer> servers_ends_;
  Servers servers_{{}};
  std::vector<Member> members_;
  RetryBudget budget_{1};
  std::shared_ptr<ListenerConfig> listener_ = std::make_shared<ListenerConfig>();
  std::shared_ptr<PoolConfig> pool_config_ = std::make_shared<PoolConfig>();
  std::shared_ptr<ListenerStats> stats_ = std::make_shared<ListenerStats>(1);
  std::shared_ptr<ConnectionLimit> limit_ =
      std::make_shared<ConnectionLimit>(1'000, 1, [](size_t) {});
  std::shared_ptr<DatagramLimits> limits_ = std::make_shared<DatagramLimits>(2);
  std::vector<std::shared_ptr<const Fd>> sockets_;
  std::chrono::milliseconds drain_timeout_{30'000};
  Address at_;
  std::unique_ptr<UdpFrontend> frontend_;
};

}  // namespace lb
