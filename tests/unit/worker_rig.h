// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/connection_limit.h"
#include "net/event_loop.h"
#include "net/late_resets.h"
#include "net/mailbox.h"
#include "net/relay.h"
#include "net/timeout_queue.h"
#include "pool/worker_context.h"

namespace lb {

// All that a worker shares among its sessions, without its thread: the test runs the loop. It
// remembers what it is told.
class WorkerRig final : private ControlReports, private Peers {
 public:
  explicit WorkerRig(uint32_t limit = ConnectionLimit::kUnlimited)
      : connections(limit, 1, [this](size_t) { ++wakes; }) {}

  EventLoop loop;
  Mailbox mailbox{loop};
  TimeoutQueue timeouts{loop};
  RelayTools relay{loop, 4};
  LateResets resets{loop};
  DatagramTools datagrams{loop};
  PortTable ports;
  ConnectionLimit connections;
  WorkerContext context{.index = 0,
                        .loop = loop,
                        .mailbox = mailbox,
                        .timeouts = timeouts,
                        .relay = relay,
                        .resets = resets,
                        .datagrams = datagrams,
                        .ports = ports,
                        .control = *this,
                        .peers = *this,
                        .connections = connections,
                        .random_state = 1};

  std::vector<Server*> connects_failed;  // as reported to the control thread
  std::vector<Server*> failing;          // likewise
  std::vector<Server*> overload_changes;
  int wakes = 0;
  int sessions = 0;  // open now
  int sessions_ever = 0;
  bool peers_take_all = false;  // another worker takes over what is accepted here
  std::vector<Fd> passed_on;
  std::vector<std::string> room_wanted;  // listeners for which another worker is to end a session

 private:
  void connect_failed(Server& server) override { connects_failed.push_back(&server); }
  void keeps_failing(Server& server) override { failing.push_back(&server); }
  void overload_changed(Server& server) override { overload_changes.push_back(&server); }
  bool pass_on(const std::string&, const std::shared_ptr<ConnectionLimit>&, Fd& client,
               const Address&) override {
    if (!peers_take_all) return false;
    passed_on.push_back(std::move(client));
    return true;
  }
  void session_opened() override { ++sessions, ++sessions_ever; }
  void session_closed() override { --sessions; }
  void flow_opened() override { session_opened(); }
  void flow_closed() override { session_closed(); }
  void make_room(const std::string& listener, size_t worker) override {
    room_wanted.push_back(listener + "@" + std::to_string(worker));
  }
  bool end_idle(const std::string&, Acceptor::Lack) override { return false; }
};

}  // namespace lb
