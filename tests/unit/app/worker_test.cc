// SPDX-License-Identifier: MIT
#include "app/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../loopback.h"
#include "pool/registry.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

// The control thread's part, played by the test: a registry, snapshots, and workers that run.
class WorkerTest : public testing::Test, private ControlReports {
 protected:
  explicit WorkerTest(size_t workers = 2) {
    team_.on_adopted = [this] { ++adopted_; };
    team_.on_drained = [this](size_t worker) { drained_.insert(worker); };
    for (size_t i = 0; i < workers; ++i) {
      team_.workers.push_back(std::make_unique<Worker>(i, team_, 4));
    }
    for (auto& worker : team_.workers) worker->start();
    config_.pools["pool"].name = "pool";
    config_.pools["pool"].health_check.enabled = false;
  }
  ~WorkerTest() override { stop(); }

  void stop() {
    for (auto& worker : team_.workers) worker->stop();
    team_.workers.clear();
  }

  void set_servers(const std::vector<Address>& addresses) {
    auto& servers = config_.pools["pool"].servers;
    servers.clear();
    for (const Address& address : addresses) {
      servers.emplace_back();
      servers.back().name = address.to_string();
      servers.back().address = address;
    }
  }
  // A listener with one socket, which is worker 0's: where connections go from there is up to the
  // workers.
  void add_listener(const std::string& name) {
    auto config = std::make_shared<ListenerConfig>();
    config->name = name;
    config->pool = "pool";
    listeners_[name] = config;
    sockets_[name] =
        std::make_shared<const Fd>(std::move(*listen_stream(*Address::parse("127.0.0.1:0"), {})));
    limits_[name] =
        std::make_shared<ConnectionLimit>(ConnectionLimit::kUnlimited, 2, [](size_t) {});
  }
  void remove_listener(const std::string& name) {
    listeners_.erase(name);
    sockets_.erase(name);
  }
  // Brings the registry to the configuration and publishes it; returns when all workers have it.
  void publish() {
    registry_.apply(config_, {}, 0);
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->version = ++version_;
    snapshot->drain_timeout = drain_timeout_;
    snapshot->pools = registry_.pools();
    for (const auto& [name, listener] : listeners_) {
      auto& plan = snapshot->listeners[name];
      plan.config = listener;
      plan.pool = snapshot->pools["pool"];
      plan.limit = limits_[name];
      plan.stats = stats_;
      plan.clients = clients_;
      plan.sockets.resize(team_.workers.size());
      plan.sockets[0].push_back(sockets_[name]);
    }
    for (auto& worker : team_.workers) worker->post_snapshot(snapshot);
    last_snapshot_ = snapshot;
    snapshot.reset();
    size_t goal = adopted_ + team_.workers.size();
    ASSERT_TRUE(run_until(control_, [&] { return adopted_ == goal; }));
    for (const auto& load : team_.loads) EXPECT_EQ(load.version, version_);
    registry_.collect();
  }

  // The listener "in" before these servers.
  void serve(const std::vector<Address>& servers) {
    set_servers(servers);
    add_listener("in");
    publish();
  }

  Fd connect(const std::string& listener) {
    return connect_to(local_address(sockets_[listener]->get()));
  }
  Fd arrive(const Listening& server) {
    Fd fd;
    EXPECT_TRUE(run_until(control_, [&] {
      fd = server.try_accept();
      return static_cast<bool>(fd);
    }));
    return fd;
  }
  bool passes(const Fd& from, const Fd& to, const std::string& bytes) {
    send_some(from.get(), bytes);
    std::string got;
    return run_until(control_, [&] {
      receive(to.get(), got);
      return got == bytes;
    });
  }
  // A client of the listener "in", before `server`, that has yet to send its PROXY header.
  Fd late_starter(const Listening& server) {
    set_servers({server.address()});
    add_listener("in");
    auto trusting = std::make_shared<ListenerConfig>(*listeners_["in"]);
    trusting->proxy_protocol_trusted = CidrSet({*Cidr::parse("127.0.0.0/8")});
    listeners_["in"] = trusting;
    publish();
    Fd client = connect("in");
    EXPECT_TRUE(run_until_sessions(1));
    return client;
  }
  // It starts, and is served there.
  void expect_start(const Fd& client, const Listening& there) {
    send_some(client.get(), "PROXY TCP4 10.1.1.1 10.2.2.2 1000 80\r\nhello");
    Fd at_server = arrive(there);
    std::string got;
    EXPECT_TRUE(run_until(control_, [&] {
      receive(at_server.get(), got);
      return got == "hello";
    }));
  }
  int end_of(const Fd& fd) {
    int end = -EAGAIN;
    std::string bytes;
    run_until(control_, [&] { return (end = receive(fd.get(), bytes)) != -EAGAIN; });
    return end;
  }
  uint32_t sessions() const {
    uint32_t sum = 0;
    for (const auto& load : team_.loads) sum += load.sessions;
    return sum;
  }
  bool run_until_sessions(uint32_t count) {
    return run_until(control_, [&] { return sessions() == count; });
  }
  Server* server(size_t index) {
    std::vector<Server*> all;
    registry_.for_each([&](Server& each, const PoolConfig&) { all.push_back(&each); });
    return all.at(index);
  }

  EventLoop control_;
  Mailbox mailbox_{control_};
  ConnectionLimit connections_{ConnectionLimit::kUnlimited, 2, [](size_t) {}};
  Config config_;
  PoolRegistry registry_{2};
  std::map<std::string, std::shared_ptr<const ListenerConfig>> listeners_;
  std::map<std::string, std::shared_ptr<const Fd>> sockets_;
  std::map<std::string, std::shared_ptr<ConnectionLimit>> limits_;
  std::shared_ptr<ListenerStats> stats_ = std::make_shared<ListenerStats>(2);
  std::shared_ptr<ClientLimits> clients_ = std::make_shared<ClientLimits>();
  std::weak_ptr<const Snapshot> last_snapshot_;
  milliseconds drain_timeout_{60'000};
  uint64_t version_ = 0;
  size_t adopted_ = 0;
  std::set<size_t> drained_;
  std::atomic<int> connects_failed_{0};
  PortTable ports_;
  WorkerTeam team_{2, mailbox_, *this, connections_, ports_};

 private:
  void keeps_failing(Server&) override {}
  void overload_changed(Server&) override {}
  void connect_failed(Server&) override { ++connects_failed_; }
};

TEST_F(WorkerTest, TakesUpASnapshotAndServes) {
  Listening server;
  serve({server.address()});
  Fd client = connect("in");
  Fd at_server = arrive(server);
  EXPECT_TRUE(passes(client, at_server, "ping"));
  EXPECT_TRUE(passes(at_server, client, "pong"));
  EXPECT_EQ(sessions(), 1u);
  client.reset();
  at_server.reset();
  EXPECT_TRUE(run_until_sessions(0));
  EXPECT_EQ(connections_.open(), 0u);
}

TEST_F(WorkerTest, AnOldSnapshotIsFreedOnTheControlThread) {
  publish();
  auto old = last_snapshot_;
  EXPECT_FALSE(old.expired());
  publish();
  EXPECT_TRUE(run_until(control_, [&] { return old.expired(); }));
}

TEST_F(WorkerTest, LongConnectionsAreSharedEvenly) {
  Listening server;
  serve({server.address()});
  std::vector<Fd> clients;
  std::vector<Fd> at_server;
  for (uint32_t i = 1; i <= 40; ++i) {
    clients.push_back(connect("in"));
    at_server.push_back(arrive(server));
    ASSERT_TRUE(run_until_sessions(i));
  }
  // All came in at worker 0's socket.
  EXPECT_GE(team_.loads[0].sessions, 15u);
  EXPECT_GE(team_.loads[1].sessions, 15u);
  for (size_t i = 0; i < clients.size(); ++i) {
    send_some(clients[i].get(), "x");
    ASSERT_TRUE(wait_readable(at_server[i].get()));
  }
  clients.clear();
  at_server.clear();
  EXPECT_TRUE(run_until_sessions(0));
  EXPECT_TRUE(run_until(control_, [&] { return connections_.open() == 0; }));
  EXPECT_EQ(limits_["in"]->open(), 0u);
}

TEST_F(WorkerTest, SessionsOfAServerEndWhenTheyAreTo) {
  Listening first;
  Listening second;
  serve({first.address(), second.address()});
  Fd a = connect("in");
  ASSERT_TRUE(run_until_sessions(1));
  Fd b = connect("in");
  Fd at_first = arrive(first);
  Fd at_second = arrive(second);
  for (auto& worker : team_.workers) {
    worker->post_end_sessions(server(0), CloseReason::server_down);
  }
  EXPECT_EQ(end_of(at_first), -ECONNRESET);
  EXPECT_TRUE(run_until_sessions(1));
  EXPECT_EQ(server(0)->active(), 0u);
  EXPECT_EQ(server(1)->active(), 1u);
}

TEST_F(WorkerTest, ARemovedListenersSessionsGoOn) {
  Listening server;
  serve({server.address()});
  Fd client = connect("in");
  Fd at_server = arrive(server);
  remove_listener("in");
  publish();
  EXPECT_TRUE(passes(client, at_server, "still here"));
  client.reset();
  at_server.reset();
  EXPECT_TRUE(run_until_sessions(0));
}

TEST_F(WorkerTest, ARemovedListenersSessionsEndAfterTheDrainTimeout) {
  Listening server;
  serve({server.address()});
  Fd client = connect("in");
  Fd at_server = arrive(server);
  remove_listener("in");
  drain_timeout_ = milliseconds(20);
  publish();
  EXPECT_EQ(end_of(client), -ECONNRESET);
  EXPECT_EQ(end_of(at_server), -ECONNRESET);
  EXPECT_TRUE(run_until_sessions(0));
}

// A client that has not said yet where it comes from has no server, so nothing keeps its pool's
// servers alive but the pool that its listener knows.
TEST_F(WorkerTest, ARemovedListenersLateStarterFindsAServerOfToday) {
  Listening gone;
  Listening today;
  Fd client = late_starter(gone);
  remove_listener("in");
  set_servers({today.address()});
  publish();
  expect_start(client, today);
  EXPECT_FALSE(gone.try_accept());
}

TEST_F(WorkerTest, ARemovedListenersLateStarterOfAPoolThatIsGoneFindsTheServersItHad) {
  Listening gone;
  Fd client = late_starter(gone);
  remove_listener("in");
  config_.pools.clear();
  publish();
  expect_start(client, gone);
}

TEST_F(WorkerTest, AListenerThatComesBackIsServedAgain) {
  Listening server;
  serve({server.address()});
  Fd old_client = connect("in");
  Fd old_server = arrive(server);
  remove_listener("in");
  publish();
  add_listener("in");
  publish();
  Fd client = connect("in");
  Fd at_server = arrive(server);
  EXPECT_TRUE(passes(client, at_server, "new"));
  EXPECT_TRUE(passes(old_client, old_server, "old"));
}

TEST_F(WorkerTest, DrainingIsToldWhenTheLastSessionHasEnded) {
  Listening server;
  serve({server.address()});
  Fd client = connect("in");
  Fd at_server = arrive(server);
  remove_listener("in");
  publish();
  for (auto& worker : team_.workers) worker->post_drain();
  // One of the two has the session.
  ASSERT_TRUE(run_until(control_, [&] { return !drained_.empty(); }));
  EXPECT_TRUE(stays_away(
      control_, [&] { return drained_.size() == 2; }, milliseconds(20)));
  EXPECT_TRUE(passes(client, at_server, "may finish"));
  client.reset();
  at_server.reset();
  EXPECT_TRUE(run_until(control_, [&] { return drained_.size() == 2; }));
}

TEST_F(WorkerTest, AFailedConnectIsReported) {
  Listening server;
  serve({refusing_address(), server.address()});
  for (int i = 0; i < 2; ++i) {
    Fd client = connect("in");
    Fd at_server = arrive(server);
    EXPECT_TRUE(passes(client, at_server, "hello"));
  }
  EXPECT_EQ(connects_failed_, 1) << "reported once, avoided afterwards";
}

TEST_F(WorkerTest, StoppingEndsWhatIsOpenAndGivesEverythingBack) {
  Listening server;
  serve({server.address()});
  Fd client = connect("in");
  Fd at_server = arrive(server);
  Server* used = this->server(0);
  ASSERT_TRUE(run_until_sessions(1));
  stop();
  EXPECT_EQ(end_of(client), -ECONNRESET);
  EXPECT_EQ(end_of(at_server), -ECONNRESET);
  EXPECT_EQ(used->active(), 0u);
  EXPECT_EQ(connections_.open(), 0u);
  EXPECT_EQ(limits_["in"]->open(), 0u);
}

}  // namespace
}  // namespace lb
