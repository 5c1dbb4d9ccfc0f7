// SPDX-License-Identifier: MIT
#include "l4/udp_frontend.h"

#include <gmock/gmock.h>
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
using testing::ElementsAre;

class UdpFrontendTest : public UdpRig {};

TEST_F(UdpFrontendTest, DatagramsGoThereAndBackWholeAndInOrder) {
  open();
  Peer client;
  std::vector<std::string> sent = {"a",
                                   "",
                                   "bb",
                                   "cc",
                                   "c",
                                   std::string(1'200, 'x'),
                                   std::string(1'200, 'y'),
                                   std::string(700, 'z'),
                                   std::string(65'507, 'l'),
                                   "",
                                   "",
                                   "end"};
  for (const auto& bytes : sent) client.send(bytes, at_);
  for (const auto& bytes : sent) EXPECT_EQ(wait_for(server(0)), bytes);
  // At first replies are taken singly, later all that are there.
  for (int round = 0; round < 4; ++round) {
    for (const auto& bytes : sent) server(0).answer(bytes);
    for (const auto& bytes : sent) EXPECT_EQ(wait_for(client), bytes);
  }
  EXPECT_EQ(client.from(), at_);
  EXPECT_EQ(frontend_->session_count(), 1u);
  EXPECT_EQ(servers_.active(0), 1u);
  EXPECT_EQ(limit_->open(), 1u);
  EXPECT_EQ(rig_.sessions, 1);
}

TEST_F(UdpFrontendTest, ManyOfOneSizeGoTogetherAndArriveApart) {
  open();
  Peer client;
  constexpr size_t kCount = 80;  // that fit into the test's own socket
  auto bytes = [](size_t i) { return std::string(1'000, 'a') + std::to_string(100'000 + i); };
  for (size_t i = 0; i < kCount; ++i) client.send(bytes(i), at_);
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(wait_for(server(0)), bytes(i));
  for (size_t i = 0; i < kCount; ++i) server(0).answer(bytes(i));
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(wait_for(client), bytes(i));
}

TEST_F(UdpFrontendTest, EachClientHasItsSessionAndItsReplies) {
  add_server();
  open();
  Peer a;
  Peer b;
  size_t at = exchange(a);
  EXPECT_EQ(exchange(b), 1 - at) << "in turn";
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(exchange(a, "a" + std::to_string(i)), at);
    EXPECT_EQ(exchange(b, "b" + std::to_string(i)), 1 - at);
  }
  EXPECT_EQ(frontend_->session_count(), 2u);
}

TEST_F(UdpFrontendTest, AWildcardListenerAnswersFromTheAddressAsked) {
  listen("0.0.0.0");
  open();
  Peer client;
  for (const char* ip : {"127.0.0.1", "127.0.0.7", "127.0.0.8"}) {
    Address to = *Address::parse_ip(ip, at_.port());
    client.send("who?", to);
    EXPECT_EQ(wait_for(server(0)), "who?");
    server(0).answer("me");
    EXPECT_EQ(wait_for(client), "me");
    EXPECT_EQ(client.from(), to);
  }
  EXPECT_EQ(frontend_->session_count(), 3u);
}

TEST_F(UdpFrontendTest, Ipv6ClientsReachIpv4Servers) {
  if (!Fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0))) GTEST_SKIP() << "no IPv6 here";
  listen("::");
  open();
  Peer client("::1");
  Address to = *Address::parse_ip("::1", at_.port());
  client.send("six", to);
  EXPECT_EQ(wait_for(server(0)), "six");
  server(0).answer("yes");
  EXPECT_EQ(wait_for(client), "yes");
  EXPECT_EQ(client.from(), to);
}

TEST_F(UdpFrontendTest, StrangersAnswersAreNotPassedOn) {
  open();
  Peer client;
  Peer stranger;
  client.send("?", at_);
  EXPECT_EQ(wait_for(server(0)), "?");
  stranger.send("forged", server(0).from());
  EXPECT_TRUE(nothing_comes(client));
}

TEST_F(UdpFrontendTest, ASessionEndsAfterItsResponses) {
  listener_->udp_responses = 1;
  open();
  Peer client;
  exchange(client);
  EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
  // Two questions are owed two answers.
  client.send("1", at_);
  client.send("2", at_);
  EXPECT_EQ(wait_for(server(0)), "1");
  EXPECT_EQ(wait_for(server(0)), "2");
  server(0).answer("one");
  EXPECT_EQ(wait_for(client), "one");
  EXPECT_EQ(frontend_->session_count(), 1u);
  server(0).answer("two");
  EXPECT_EQ(wait_for(client), "two");
  EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
  EXPECT_EQ(servers_.active(0), 0u);
  EXPECT_EQ(limit_->open(), 0u);
}

TEST_F(UdpFrontendTest, ASessionEndsAfterItsResponsesWithinABurst) {
  listener_->udp_responses = 30;
  open();
  Peer client;
  client.send("?", at_);
  EXPECT_EQ(wait_for(server(0)), "?");
  for (int i = 0; i < 40; ++i) server(0).answer(std::to_string(i));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(wait_for(client), std::to_string(i));
  EXPECT_TRUE(nothing_comes(client));
  EXPECT_EQ(frontend_->session_count(), 0u);
}

TEST_F(UdpFrontendTest, AServerThatGoesAwayIsNoticedWhileBurstsAreRead) {
  open();
  Peer client;
  exchange(client);
  for (int i = 0; i < 40; ++i) server(0).answer(std::to_string(i));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(wait_for(client), std::to_string(i));
  server(0).close();
  client.send("?", at_);
  EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
  EXPECT_FALSE(rig_.connects_failed.empty());
}

TEST_F(UdpFrontendTest, SilentSessionsEnd) {
  listener_->timeouts.idle = milliseconds(250);
  open();
  Peer client;
  exchange(client);
  EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
  EXPECT_EQ(rig_.sessions, 0);
  exchange(client);
}

TEST_F(UdpFrontendTest, TheLeastRecentlyUsedGoesWhenThereIsNoRoom) {
  limit_->set_limit(2);
  open();
  Peer a;
  Peer b;
  Peer c;
  exchange(a);
  Address of_a = server(0).from();
  exchange(b);
  Address of_b = server(0).from();
  exchange(a);
  exchange(c);
  EXPECT_EQ(frontend_->session_count(), 2u);
  exchange(a);
  EXPECT_EQ(server(0).from(), of_a) << "was used since";
  exchange(b);
  EXPECT_NE(server(0).from(), of_b);
}

TEST_F(UdpFrontendTest, UnansweredSessionsGoFirst) {
  limit_->set_limit(3);
  open();
  Peer answered;
  exchange(answered);
  Address from = server(0).from();
  std::vector<Peer> flood(20);
  for (Peer& peer : flood) {
    peer.send("f", at_);
    EXPECT_EQ(wait_for(server(0)), "f");
  }
  EXPECT_EQ(frontend_->session_count(), 3u);
  exchange(answered);
  EXPECT_EQ(server(0).from(), from);
}

TEST_F(UdpFrontendTest, WithRoomForOneEveryoneIsServedInTurn) {
  limit_->set_limit(1);
  open();
  std::vector<Peer> clients(10);
  for (Peer& client : clients) client.send("all at once", at_);
  for (size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(wait_for(server(0)), "all at once");
  EXPECT_EQ(frontend_->session_count(), 1u);
}

TEST_F(UdpFrontendTest, TheLeastRecentlyUsedGoesAlsoWhereAnotherWorkerHasIt) {
  limit_->set_limit(2);
  ASSERT_TRUE(limit_->take());  // another worker's session, older than all of ours
  limits_->ages.set(1, 1);
  open();
  Peer first;
  Peer second;
  exchange(first);
  exchange(second);
  EXPECT_EQ(frontend_->session_count(), 2u) << "nobody waits for the other worker";
  EXPECT_EQ(rig_.room_wanted, std::vector<std::string>{"in@1"});
  EXPECT_EQ(limits_->ages.oldest(1), 1u);
  limit_->give_back();
  limits_->ages.set(1, SessionAges::kNone);
  EXPECT_EQ(limits_->ages.oldest(1), 0u) << "told of its own";
  Peer third;
  exchange(third);
  EXPECT_EQ(frontend_->session_count(), 2u);
  EXPECT_EQ(rig_.room_wanted.size(), 1u);
}

TEST_F(UdpFrontendTest, OnlyWhatIsTooManyMakesRoomForAnotherWorker) {
  limit_->set_limit(1);
  open();
  Peer client;
  exchange(client);
  frontend_->make_room();
  EXPECT_EQ(frontend_->session_count(), 1u);
  ASSERT_TRUE(limit_->take_ahead(1));
  frontend_->make_room();
  EXPECT_EQ(frontend_->session_count(), 0u);
}

// As far ahead as it may go, a newcomer waits; nothing of its own goes for it.
TEST_F(UdpFrontendTest, ANewcomerWaitsWhereOtherWorkersOweMuchRoom) {
  limit_->set_limit(1);
  ASSERT_TRUE(limit_->take());
  ASSERT_TRUE(limit_->take_ahead(1));
  limits_->ages.set(1, 1);
  open();
  Peer client;
  client.send("?", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  limit_->give_back();
  EXPECT_EQ(wait_for(server(0)), "?");
}

// More newcomers than a turn serves, each with several datagrams: all come, each client's in order.
TEST_F(UdpFrontendTest, ABurstOfNewClientsIsServedInOrder) {
  open();
  std::vector<Peer> clients(150);
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < clients.size(); ++i) {
      clients[i].send(std::to_string(i) + "/" + std::to_string(round), at_);
    }
  }
  std::map<std::string, int> next;
  for (size_t i = 0; i < 3 * clients.size(); ++i) {
    std::string got = wait_for(server(0));
    size_t slash = got.find('/');
    ASSERT_NE(slash, std::string::npos) << got;
    EXPECT_EQ(got.substr(slash + 1), std::to_string(next[got.substr(0, slash)]++));
  }
  EXPECT_EQ(frontend_->session_count(), clients.size());
}

TEST_F(UdpFrontendTest, AnUnreachableServerIsReportedAndLeft) {
  Address dead;
  {
    Peer gone;
    dead = gone.address();
  }
  add_server(dead);
  open();
  std::vector<Peer> clients(4);
  // Those who were sent to the dead one lose that datagram, and are served with the next.
  for (int round = 0; round < 3; ++round) {
    for (Peer& client : clients) client.send("?", at_);
    run_until(
        rig_.loop, [] { return false; }, milliseconds(50));
  }
  EXPECT_THAT(rig_.connects_failed, ElementsAre(&servers_[1]));
  EXPECT_GE(servers_[1].cell(0).connect_failures, 1u);
  EXPECT_EQ(servers_.active(1), 0u);
  EXPECT_EQ(servers_.active(0), 4u);
  while (server(0).receive()) {
  }
  for (Peer& client : clients) EXPECT_EQ(exchange(client), 0u);
}

TEST_F(UdpFrontendTest, SessionsOfAnUnhealthyServerMoveWithTheirNextDatagram) {
  add_server();
  open();
  Peer client;
  size_t at = exchange(client);
  members_[at].status = ServerStatus::unhealthy;
  frontend_->update(plan());
  server(at).answer("late");
  EXPECT_EQ(wait_for(client), "late") << "what was under way still comes";
  EXPECT_EQ(exchange(client), 1 - at);
  EXPECT_EQ(frontend_->session_count(), 1u);
}

TEST_F(UdpFrontendTest, ADrainingServerKeepsItsSessionsUntilDrainTimeout) {
  drain_timeout_ = milliseconds(1'000);
  add_server();
  open();
  Peer client;
  Peer silent;
  size_t at = exchange(client);
  EXPECT_NE(exchange(silent), at);
  members_[at].status = ServerStatus::draining;
  frontend_->update(plan());
  EXPECT_EQ(exchange(client), at);
  Peer newcomer;
  EXPECT_NE(exchange(newcomer), at);
  EXPECT_TRUE(run_until(rig_.loop, [&] {
    frontend_->update(plan());  // other changes do not begin the time anew
    return exchange(client) != at;
  }));
  EXPECT_NE(exchange(silent), at) << "others stay";
}

TEST_F(UdpFrontendTest, ARemovedServersLastAnswersStillCome) {
  add_server();
  open();
  Peer client;
  size_t at = exchange(client);
  Server* removed = members_[at].server;
  client.send("last", at_);
  EXPECT_EQ(wait_for(server(at)), "last");
  members_.erase(members_.begin() + static_cast<ptrdiff_t>(at));
  frontend_->update(plan());
  frontend_->leave_server(removed, CloseReason::server_removed);
  server(at).answer("here it is");
  EXPECT_EQ(wait_for(client), "here it is");
  EXPECT_EQ(exchange(client), 1 - at);
  EXPECT_EQ(frontend_->session_count(), 1u);
}

TEST_F(UdpFrontendTest, SessionsOfARemovedServerEndAfterAMoment) {
  open();
  Peer client;
  exchange(client);
  Server* removed = members_[0].server;
  members_.clear();
  frontend_->update(plan());
  frontend_->leave_server(removed, CloseReason::server_removed);
  EXPECT_EQ(frontend_->session_count(), 1u);
  EXPECT_TRUE(run_until(rig_.loop, [&] { return frontend_->session_count() == 0; }));
}

TEST_F(UdpFrontendTest, AReloadMovesNoSession) {
  add_server();
  open();
  std::vector<Peer> clients(10);
  std::vector<size_t> at;
  for (Peer& client : clients) at.push_back(exchange(client));
  add_server();
  frontend_->update(plan());
  for (size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(exchange(clients[i]), at[i]);
}

TEST_F(UdpFrontendTest, FullServersGetNoMoreSessions) {
  members_[0].limit = 1;
  open();
  Peer a;
  Peer b;
  exchange(a);
  b.send("?", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::no_server), 1u);
}

TEST_F(UdpFrontendTest, ListsAndRatesDropAndCount) {
  listener_->deny = CidrSet({*Cidr::parse("127.0.0.9")});
  limits_->set({}, Rate{1, milliseconds(60'000), 2});
  open();
  Peer denied("127.0.0.9");
  denied.send("?", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::denied), 1u);
  Peer heavy;
  for (int i = 0; i < 5; ++i) heavy.send("h", at_);
  EXPECT_EQ(wait_for(server(0)), "h");
  EXPECT_EQ(wait_for(server(0)), "h");
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::over_rate), 3u);
}

TEST_F(UdpFrontendTest, AProxyHeaderGoesBeforeTheFirstOrEach) {
  struct Row {
    SendProxyProtocol mode;
    bool on_second;
  };
  for (const Row& row :
       {Row{SendProxyProtocol::v2, false}, Row{SendProxyProtocol::v2_each, true}}) {
    pool_config_ = std::make_shared<PoolConfig>(*pool_config_);
    pool_config_->send_proxy_protocol = row.mode;
    open();
    Peer client;
    for (const char* bytes : {"first", "second", "third"}) client.send(bytes, at_);
    for (const char* bytes : {"first", "second", "third"}) {
      std::string got = wait_for(server(0));
      bool expected = row.on_second || std::string(bytes) == "first";
      EXPECT_EQ(starts_as_proxy_v2(got), expected) << bytes;
      if (!expected) continue;
      ProxyParse parse = parse_datagram_proxy_header(got);
      ASSERT_EQ(parse.state, ProxyParse::State::complete);
      EXPECT_EQ(got[13], '\x12') << "a datagram over IPv4";
      EXPECT_EQ(parse.header.source, client.address());
      EXPECT_EQ(parse.header.destination, at_);
      EXPECT_EQ(got.substr(parse.length), bytes);
    }
    frontend_.reset();
  }
}

TEST_F(UdpFrontendTest, ATrustedPeersHeaderNamesTheClientAndIsTakenOff) {
  listener_->proxy_protocol_trusted = CidrSet({*Cidr::parse("127.0.0.5")});
  listener_->deny = CidrSet({*Cidr::parse("10.6.6.6")});
  pool_config_->send_proxy_protocol = SendProxyProtocol::v2;
  open();
  Peer balancer("127.0.0.5");
  balancer.send("no header", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::bad_header), 1u);

  DatagramProxyHeader denied(*Address::parse("10.6.6.6:7"), at_);
  balancer.send(std::string(denied.bytes()) + "denied", at_);
  EXPECT_TRUE(nothing_comes(server(0)));
  EXPECT_EQ(dropped(Dropped::denied), 1u);

  DatagramProxyHeader header(*Address::parse("10.1.2.3:4567"), *Address::parse("192.0.2.9:53"));
  balancer.send(std::string(header.bytes()) + "hello", at_);
  std::string got = wait_for(server(0));
  ProxyParse parse = parse_datagram_proxy_header(got);
  ASSERT_EQ(parse.state, ProxyParse::State::complete);
  EXPECT_EQ(parse.header.source.to_string(), "10.1.2.3:4567");
  EXPECT_EQ(parse.header.destination.to_string(), "192.0.2.9:53") << "where the client sent to";
  EXPECT_EQ(got.substr(parse.length), "hello");
  balancer.send("more", at_);
  EXPECT_EQ(wait_for(server(0)), "more") << "only the first needs a header";
  balancer.send(std::string(header.bytes()) + "each", at_);
  EXPECT_EQ(wait_for(server(0)), "each") << "but each may have one";
  server(0).answer("back");
  EXPECT_EQ(wait_for(balancer), "back");
}

TEST_F(UdpFrontendTest, ItsSlowerServerIsKnownByItsReplies) {
  pool_config_->balance = Balance::least_response_time;
  open();
  Peer client;
  exchange(client);
  EXPECT_GT(servers_[0].latency.average_us(rig_.loop.now_ms()), 0u);
}

}  // namespace
}  // namespace lb
