// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/fd.h"
#include "common/hash.h"
#include "net/acceptor.h"
#include "net/connection_limit.h"
#include "net/datagrams.h"
#include "net/event_loop.h"
#include "net/handshake_ration.h"
#include "net/late_resets.h"
#include "net/mailbox.h"
#include "net/port_table.h"
#include "net/relay.h"
#include "net/timeout_queue.h"
#include "pool/server.h"

namespace lb {

// What a worker tells the control thread. Implementations post to its mailbox and never block.
class ControlReports {
 public:
  virtual ~ControlReports() = default;
  // A connect of live traffic failed: check this server at once.
  virtual void connect_failed(Server& server) = 0;
  // Live traffic failed there as often in a row as outlier_detection allows.
  virtual void keeps_failing(Server& server) = 0;
  // A response said that it is overloaded, or not any more.
  virtual void overload_changed(Server& server) = 0;
};

// The other workers, as one of them sees them.
class Peers {
 public:
  virtual ~Peers() = default;
  // Passes a new connection on when this worker is clearly above the least loaded one: few
  // long-lived connections would else stay where SO_REUSEPORT happened to put them. On success
  // `client` is empty and its counts, one of them at `limit`, have moved along.
  virtual bool pass_on(const std::string& listener, const std::shared_ptr<ConnectionLimit>& limit,
                       Fd& client, const Address& peer) = 0;
  // This worker has one open session more or less.
  virtual void session_opened() = 0;
  virtual void session_closed() = 0;
  // The same for a session that cannot be passed on: its client's datagrams come to this worker.
  virtual void flow_opened() = 0;
  virtual void flow_closed() = 0;
  // This listener has a session more than it may have: that worker is to end the oldest of its own.
  virtual void make_room(const std::string& listener, size_t worker) = 0;
  // A client of this listener waits to be accepted: connections that are idle end for it, here,
  // else on other workers. Whether there may be some later.
  virtual bool end_idle(const std::string& listener, Acceptor::Lack lack) = 0;
};

// What everything that lives on one worker shares. Its members outlive all sessions of the worker.
// Worker thread.
struct WorkerContext {
  size_t index;
  EventLoop& loop;
  Mailbox& mailbox;
  TimeoutQueue& timeouts;
  RelayTools& relay;
  LateResets& resets;
  DatagramTools& datagrams;
  PortTable& ports;  // of the process
  ControlReports& control;
  Peers& peers;
  ConnectionLimit& connections;  // of the process
  uint64_t random_state;
  HandshakeRation handshakes = {};
  int64_t tls_warned_ms = 0;

  // A server could not be reached for want of a TLS handshake; warns at most every ten seconds.
  void note_tls_failure(const Server& server, const std::string& reason);
  // Uniform and cheap; not for secrets.
  uint64_t next_random() { return mix64(random_state++); }
};

}  // namespace lb
