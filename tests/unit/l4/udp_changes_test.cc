// SPDX-License-Identifier: MIT
#include "l4/udp_frontend.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "udp_rig.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

// What reloads, lists and rates do to sessions.
class UdpChangesTest : public UdpRig {};

TEST_F(UdpChangesTest, ARemovedListenerServesOnlyWhoIsThere) {
  open();
  Peer known;
  Peer stranger;
  exchange(known);
  frontend_->stop_accepting();
  exchange(known);
  stranger.send("?", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::draining), 1u);
  frontend_->end_sessions(CloseReason::shutting_down);
  EXPECT_EQ(frontend_->session_count(), 0u);
  EXPECT_EQ(rig_.sessions, 0);
}

TEST_F(UdpChangesTest, AnAddressThatChangesKeepsItsSessionsUntilDrainTimeout) {
  drain_timeout_ = milliseconds(2'000);
  open();
  Peer client;
  Peer stranger;
  exchange(client);
  Address of_client = server(0).from();
  client.send("slow", at_);
  EXPECT_EQ(wait_for(server(0)), "slow");
  Address before = at_;
  std::weak_ptr<const Fd> socket = sockets_[0];
  listen("127.0.0.2");
  frontend_->update(plan());
  server(0).answer("at last");
  EXPECT_EQ(wait_for(client), "at last");
  EXPECT_EQ(client.from(), before);
  client.send("more", before);
  EXPECT_EQ(wait_for(server(0)), "more");
  EXPECT_EQ(server(0).from(), of_client);
  stranger.send("?", before);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::draining), 1u);
  exchange(stranger);
  EXPECT_TRUE(run_until(rig_.loop, [&] { return socket.expired(); }));
  EXPECT_EQ(frontend_->session_count(), 1u) << "the new address's";
}

TEST_F(UdpChangesTest, WhereAWildcardTakesAnAddressesPlaceNewClientsAreServedAtOnce) {
  auto shared = [](const Address& address) {
    return std::make_shared<const Fd>(std::move(*listen_datagrams(address, {.reuse_port = true})));
  };
  sockets_ = {shared(*Address::parse("127.0.0.1:0"))};
  at_ = local_address(sockets_[0]->get());
  open();
  Peer known;
  exchange(known);
  std::weak_ptr<const Fd> before = sockets_[0];
  sockets_ = {shared(Address::any_v4(at_.port()))};
  drain_timeout_ = milliseconds(100);
  frontend_->update(plan());
  exchange(known);
  Peer stranger;
  exchange(stranger);
  EXPECT_TRUE(run_until(rig_.loop, [&] { return before.expired(); }));
  exchange(known);
  exchange(stranger);
  EXPECT_EQ(dropped(Dropped::draining), 0u);
}

TEST_F(UdpChangesTest, NewcomersInLineAreAnsweredFromWhereTheyAskedThoughItIsGone) {
  open();
  std::vector<Peer> clients(60);
  for (Peer& client : clients) client.send("?", at_);
  ASSERT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() > 0; }));
  ASSERT_LT(frontend_->session_count(), clients.size()) << "the others wait";
  Address before = at_;
  listen("127.0.0.2");
  frontend_->update(plan());
  for (size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(wait_for(server(0)), "?");
    server(0).answer("!");
  }
  for (Peer& client : clients) {
    EXPECT_EQ(wait_for(client), "!");
    EXPECT_EQ(client.from(), before);
  }
}

TEST_F(UdpChangesTest, WhatAnotherListenerHasNowIsReadThereAlone) {
  open();
  Peer client;
  exchange(client);
  auto others = sockets_;
  Address before = at_;
  listen("127.0.0.2");
  frontend_->update(plan());
  sockets_.swap(others);
  UdpFrontend heir(rig_.context, plan());
  frontend_->hand_over_sockets(heir);
  std::vector<Peer> clients(20);
  for (Peer& one : clients) one.send("?", before);
  for (size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(wait_for(server(0)), "?");
  EXPECT_EQ(heir.session_count(), clients.size());
}

TEST_F(UdpChangesTest, WhoIsDeniedTakesNothingFromTheRate) {
  listener_->deny = CidrSet({*Cidr::parse("127.0.0.9")});
  limits_->set(Rate{1, milliseconds(60'000), 2}, {});
  open();
  Peer denied("127.0.0.9");
  Peer client;
  for (int i = 0; i < 5; ++i) denied.send("?", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::denied), 5u);
  exchange(client);
  exchange(client);
  EXPECT_EQ(dropped(Dropped::over_rate), 0u);
}

TEST_F(UdpChangesTest, TheRatePerSourceIsOfTheClientThatAPeerNames) {
  listener_->proxy_protocol_trusted = CidrSet({*Cidr::parse("127.0.0.5")});
  limits_->set(Rate{1, milliseconds(60'000), 4}, Rate{1, milliseconds(60'000), 1});
  open();
  auto from = [&](const char* client, const char* bytes) {
    DatagramProxyHeader header(*Address::parse(client), at_);
    return std::string(header.bytes()) + bytes;
  };
  std::vector<Peer> ports;
  for (int i = 0; i < 5; ++i) ports.emplace_back("127.0.0.5");
  ports[0].send("no header", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::bad_header), 1u);
  ports[1].send(from("10.1.2.3:7", "a"), at_);
  EXPECT_EQ(wait_for(server(0)), "a");
  ports[2].send(from("10.1.2.4:7", "b"), at_);
  EXPECT_EQ(wait_for(server(0)), "b");
  ports[3].send(from("[2001:db8::1]:7", "c"), at_);
  EXPECT_EQ(wait_for(server(0)), "c");
  ports[1].send("once more", at_);
  ports[4].send(from("10.1.2.4:8", "the same"), at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::over_rate), 2u);
}

TEST_F(UdpChangesTest, AfterAReloadToAnotherPoolASessionLeavesAServerThatGoesDown) {
  open();
  Peer client;
  EXPECT_EQ(exchange(client), 0u);
  std::vector<Member> first = members_;
  add_server();
  members_.erase(members_.begin());
  listener_ = std::make_shared<ListenerConfig>(*listener_);
  listener_->pool = "other";
  frontend_->update(plan());
  EXPECT_EQ(exchange(client), 0u) << "a reload moves nobody";
  first[0].status = ServerStatus::maintenance;
  auto now = std::make_shared<const Pool>(pool_config_, first, servers_.load(), budget_);
  frontend_->set_pools({{"pool", now}, {"other", plan().pool}});
  EXPECT_EQ(exchange(client), 1u);
}

}  // namespace
}  // namespace lb
