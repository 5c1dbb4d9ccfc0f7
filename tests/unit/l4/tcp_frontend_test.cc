// SPDX-License-Identifier: MIT
#include "l4/tcp_frontend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <memory>
#include <string>
#include <vector>

#include "frontend_rig.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}

TEST_F(FrontendTest, ConnectsClientAndServerAndEndsInOrder) {
  open();
  Fd client = connect();
  Fd server = arrive();
  EXPECT_TRUE(passes(client, server, "ping"));
  EXPECT_TRUE(passes(server, client, "pong!"));
  EXPECT_EQ(servers_.active(0), 1u);
  EXPECT_EQ(rig_.connections.open(), 1u);
  EXPECT_EQ(limit_->open(), 1u);
  EXPECT_EQ(rig_.sessions, 1);

  client.reset();
  EXPECT_EQ(end_of(server), 0);
  EXPECT_EQ(frontend_->session_count(), 1u) << "the server may still have something to say";
  server.reset();
  EXPECT_TRUE(run_until_sessions(0));
  EXPECT_EQ(servers_.active(0), 0u);
  EXPECT_EQ(rig_.connections.open(), 0u);
  EXPECT_EQ(limit_->open(), 0u);
  EXPECT_EQ(rig_.sessions, 0);
  EXPECT_EQ(servers_[0].cell(0).connections, 1u);
  EXPECT_EQ(servers_[0].cell(0).bytes_in, 4u);
  EXPECT_EQ(servers_[0].cell(0).bytes_out, 5u);
}

TEST_F(FrontendTest, ListsDecideWhoIsServed) {
  struct Row {
    const char* what;
    std::vector<Cidr> allow;
    bool has_allow;
    std::vector<Cidr> deny;
    bool served;
  };
  const Row rows[] = {
      {"no list", {}, false, {}, true},
      {"allowed", {cidr("127.0.0.0/8")}, true, {}, true},
      {"not among the allowed", {cidr("10.0.0.0/8")}, true, {}, false},
      {"nobody is allowed", {}, true, {}, false},
      {"denied", {}, false, {cidr("127.0.0.1")}, false},
      {"somebody else is denied", {}, false, {cidr("10.0.0.0/8")}, true},
      {"deny wins", {cidr("127.0.0.0/8")}, true, {cidr("127.0.0.1")}, false},
  };
  open();
  for (const Row& row : rows) {
    ListenerConfig& config = change();
    config.allow.reset();
    if (row.has_allow) config.allow = CidrSet(row.allow);
    config.deny = CidrSet(row.deny);
    frontend_->update(plan());
    Fd client = connect();
    if (row.served) {
      Fd server = arrive();
      EXPECT_TRUE(passes(client, server, "hello")) << row.what;
      client.reset();
      server.reset();
      EXPECT_TRUE(run_until_sessions(0)) << row.what;
    } else {
      EXPECT_EQ(end_of(client), -ECONNRESET) << row.what;
    }
    EXPECT_EQ(rig_.connections.open(), 0u) << row.what;
    EXPECT_EQ(limit_->open(), 0u) << row.what;
    EXPECT_EQ(rig_.sessions, 0) << row.what;
  }
}

TEST_F(FrontendTest, AnUpdateKeepsSessionsAndUnchangedSockets) {
  open();
  Fd client = connect();
  Fd server = arrive();
  Fd queued = connect();  // in the kernel's queue while the update comes
  change().timeouts.idle = milliseconds(1'000'000);
  frontend_->update(plan());
  EXPECT_EQ(frontend_->config().timeouts.idle, milliseconds(1'000'000));
  EXPECT_TRUE(passes(client, server, "still here"));
  Fd queued_server = arrive();
  EXPECT_TRUE(passes(queued, queued_server, "served too"));
}

TEST_F(FrontendTest, ASocketThatIsRemovedServesItsQueueFirst) {
  sockets_.push_back(listen());
  open();
  Fd first = connect(0);
  Fd second = connect(0);
  auto removed = sockets_[0];
  sockets_.erase(sockets_.begin());
  frontend_->update(plan());
  EXPECT_EQ(frontend_->session_count(), 2u) << "accepted by the update itself";
  removed.reset();
  Fd third = connect(0);
  for (Fd* client : {&first, &second, &third}) {
    Fd server = arrive();
    std::string got;
    send_some(server.get(), "x");
    EXPECT_TRUE(run_until(rig_.loop, [&] {
      for (Fd* each : {&first, &second, &third}) receive(each->get(), got);
      return !got.empty();
    }));
    (void)client;
  }
}

TEST_F(FrontendTest, StopAcceptingServesTheQueueThenClosesTheSocket) {
  open();
  Address address = local_address(sockets_[0]->get());
  Fd client = connect();
  sockets_.clear();
  frontend_->stop_accepting();
  EXPECT_EQ(frontend_->session_count(), 1u);
  Fd server = arrive();
  EXPECT_TRUE(passes(client, server, "served"));
  Fd late = connect_to(address);
  EXPECT_EQ(end_of(late), -ECONNREFUSED);
}

TEST_F(FrontendTest, ASettingOfPoolOrMembersTakesEffectForTheNextConnection) {
  open();
  Fd first = connect();
  Fd first_server = arrive();
  Listening other;
  members_[0].status = ServerStatus::unhealthy;
  add_server(other.address());
  frontend_->update(plan());
  Fd second = connect();
  ASSERT_TRUE(run_until(rig_.loop, [&] { return servers_.active(1) == 1; }));
  Fd second_server = other.accept();
  EXPECT_TRUE(passes(second, second_server, "new"));
  EXPECT_TRUE(passes(first, first_server, "old"));
}

TEST_F(FrontendTest, LeavingAServerEndsItsSessionsAlone) {
  Listening other;
  add_server(other.address());
  open();
  Fd a = connect();
  ASSERT_TRUE(run_until_sessions(1));
  Fd b = connect();
  ASSERT_TRUE(run_until_sessions(2));
  Fd at_server = server_.accept();
  Fd at_other = other.accept();
  ASSERT_TRUE(run_until(rig_.loop, [&] { return servers_.active(0) + servers_.active(1) == 2; }));
  frontend_->leave_server(&servers_[0], CloseReason::server_down);
  EXPECT_EQ(frontend_->session_count(), 1u);
  EXPECT_EQ(end_of(at_server), -ECONNRESET);
  EXPECT_EQ(servers_.active(0), 0u);
  EXPECT_EQ(servers_.active(1), 1u);
}

TEST_F(FrontendTest, ItsEndIsTheEndOfItsSessions) {
  open();
  Fd client = connect();
  Fd server = arrive();
  frontend_.reset();
  EXPECT_EQ(end_of(client), -ECONNRESET);
  EXPECT_EQ(end_of(server), -ECONNRESET);
  EXPECT_EQ(rig_.connections.open(), 0u);
  EXPECT_EQ(limit_->open(), 0u);
  EXPECT_EQ(servers_.active(0), 0u);
  EXPECT_EQ(rig_.sessions, 0);
}

TEST_F(FrontendTest, AConnectionThatAnotherWorkerTakesIsNoSessionHere) {
  rig_.peers_take_all = true;
  open();
  Fd client = connect();
  ASSERT_TRUE(run_until(rig_.loop, [&] { return rig_.passed_on.size() == 1; }));
  EXPECT_EQ(frontend_->session_count(), 0u);
  EXPECT_EQ(rig_.sessions_ever, 0);
  EXPECT_EQ(rig_.connections.open(), 1u) << "its counts have moved along";

  // And the other one serves it, and gives the counts back in the end.
  ASSERT_TRUE(frontend_->serve(rig_.passed_on[0], *Address::parse("127.0.0.1:1")));
  ++rig_.sessions;
  Fd server = arrive();
  EXPECT_TRUE(passes(client, server, "hello"));
  client.reset();
  server.reset();
  EXPECT_TRUE(run_until_sessions(0));
  EXPECT_EQ(rig_.connections.open(), 0u);
  EXPECT_EQ(limit_->open(), 0u);
}

TEST_F(FrontendTest, AtTheListenersLimitClientsWaitInTheQueue) {
  limit_ =
      std::make_shared<ConnectionLimit>(1, 1, [this](size_t) { frontend_->resume_accepting(); });
  open();
  Fd first = connect();
  Fd first_server = arrive();
  Fd second = connect();
  EXPECT_TRUE(stays_away(
      rig_.loop, [&] { return frontend_->session_count() > 1; }, milliseconds(20)));
  first.reset();
  first_server.reset();
  Fd second_server = arrive();
  EXPECT_TRUE(passes(second, second_server, "my turn"));
}

TEST_F(FrontendTest, WithoutAServerTheClientIsReset) {
  members_.clear();
  open();
  Fd client = connect();
  EXPECT_EQ(end_of(client), -ECONNRESET);
  EXPECT_EQ(frontend_->session_count(), 0u);
  EXPECT_EQ(rig_.connections.open(), 0u);
}

TEST_F(FrontendTest, ServersThatRefuseAreTriedInTurn) {
  members_.clear();
  add_server(refusing_address());
  add_server(refusing_address());
  add_server(server_.address());
  pool_config_->retries.attempts = 2;
  open();
  for (int i = 0; i < 3; ++i) {
    Fd client = connect();
    Fd server = arrive();
    EXPECT_TRUE(passes(client, server, "whole and once"));
  }
}

TEST_F(FrontendTest, AResetBeforeTheFirstByteIsAFailureOfTheServer) {
  pool_config_->outlier_detection = OutlierConfig{.consecutive_failures = 100};
  struct Row {
    const char* what;
    std::string answer;
    bool resets;
    uint32_t failures;  // in a row, after one before
  };
  open();
  for (const Row& row :
       {Row{"reset without a word", "", true, 2}, Row{"reset after an answer", "hello", true, 0},
        Row{"an end without a word", "", false, 0},
        Row{"an answer and an end", "hello", false, 0}}) {
    servers_[0].failures_in_a_row = 1;
    Fd client = connect();
    Fd server = arrive();
    EXPECT_TRUE(passes(client, server, "request"));
    if (!row.answer.empty()) {
      EXPECT_TRUE(passes(server, client, row.answer));
    }
    if (row.resets) set_reset_on_close(server.get());
    server.reset();
    if (!row.resets) client.reset();
    EXPECT_TRUE(run_until_sessions(0)) << row.what;
    EXPECT_EQ(servers_[0].failures_in_a_row, row.failures) << row.what;
  }
}

TEST_F(FrontendTest, IdleConnectionsEndInOrder) {
  listener_->timeouts.idle = milliseconds(30);
  open();
  Fd client = connect();
  Fd server = arrive();
  EXPECT_TRUE(passes(client, server, "hello"));
  int64_t last_ms = monotonic_ms();
  EXPECT_TRUE(run_until_sessions(0));
  EXPECT_GE(monotonic_ms(), last_ms + 20);
  EXPECT_EQ(end_of(client), 0);
  EXPECT_EQ(end_of(server), 0);
}

TEST_F(FrontendTest, ATrustedPeerMustBeginWithAProxyHeader) {
  listener_->proxy_protocol_trusted = CidrSet({cidr("127.0.0.0/8")});
  listener_->deny = CidrSet({cidr("10.6.6.6")});
  open();
  struct Row {
    const char* what;
    std::string bytes;
    bool served;
  };
  const Row rows[] = {
      {"a header", "PROXY TCP4 10.1.1.1 10.2.2.2 1000 80\r\nhello", true},
      {"a header of somebody denied", "PROXY TCP4 10.6.6.6 10.2.2.2 1000 80\r\nhello", false},
      {"no header", "GET / HTTP/1.1\r\n\r\n", false},
  };
  for (const Row& row : rows) {
    Fd client = connect();
    send_some(client.get(), row.bytes);
    if (!row.served) {
      EXPECT_EQ(end_of(client), -ECONNRESET) << row.what;
      continue;
    }
    Fd server = arrive();
    std::string got;
    EXPECT_TRUE(run_until(rig_.loop, [&] {
      receive(server.get(), got);
      return got == "hello";
    })) << row.what;
  }
}

TEST(ClientFirst, TriesOftenWhereItPaysAndSeldomWhereItDoesNot) {
  auto tries_of_160 = [](ClientFirst& learned, bool there) {
    int tries = 0;
    for (int i = 0; i < 160; ++i) {
      if (!learned.try_now()) continue;
      ++tries;
      learned.note(there);
    }
    return tries;
  };
  ClientFirst always;
  EXPECT_EQ(tries_of_160(always, true), 160);
  ClientFirst never;
  tries_of_160(never, false);
  EXPECT_EQ(tries_of_160(never, false), 10) << "one in sixteen";
  // And it learns that clients have changed.
  for (int i = 0; i < 10; ++i) tries_of_160(never, true);
  EXPECT_EQ(tries_of_160(never, true), 160);
}

TEST(KeepaliveOf, TakesWholeSecondsOrNothing) {
  KeepaliveConfig config;
  config.idle = milliseconds(30'000);
  config.interval = milliseconds(5'000);
  config.count = 4;
  EXPECT_EQ(keepalive_of(config), (Keepalive{.idle_s = 30, .interval_s = 5, .count = 4}));
  config.enabled = false;
  EXPECT_EQ(keepalive_of(config), std::nullopt);
}

}  // namespace
}  // namespace lb
