// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/snapshot.h"
#include "l7/http_tools.h"
#include "net/descriptor_reserve.h"
#include "net/event_loop.h"
#include "net/late_resets.h"
#include "net/mailbox.h"
#include "net/timeout_queue.h"
#include "pool/frontend.h"
#include "pool/worker_context.h"

namespace lb {

class Worker;

// What the workers see of each other and of the control thread.
struct WorkerTeam {
  struct alignas(64) Load {
    std::atomic<uint32_t> sessions{0};  // open, or on their way by mailbox
    std::atomic<uint32_t> flows{0};     // of these, those that cannot be passed on
    std::atomic<uint64_t> version{0};   // of the snapshot taken up
  };

  WorkerTeam(size_t size, Mailbox& control_mailbox, ControlReports& control_reports,
             ConnectionLimit& process_limit, PortTable& port_table)
      : loads(size),
        control(control_mailbox),
        reports(control_reports),
        connections(process_limit),
        ports(port_table) {}

  std::vector<Load> loads;
  std::vector<std::unique_ptr<Worker>> workers;
  Mailbox& control;
  ControlReports& reports;
  ConnectionLimit& connections;
  PortTable& ports;
  DescriptorReserve reserve;  // control's
  // Told on the control thread.
  std::function<void()> on_adopted;  // a worker has taken up a snapshot
  std::function<void(size_t worker)> on_drained;
};

// One event loop on its own thread, with its frontends and all their sessions. Other threads reach
// it by its mailbox alone: post_*() may be called by any thread, the rest runs on its own.
class Worker final : public Peers {
 public:
  Worker(size_t index, WorkerTeam& team, size_t pipe_limit);
  ~Worker() override;

  void start();
  // Ends the loop and waits for the thread. Control thread.
  void stop();

  void post_snapshot(std::shared_ptr<const Snapshot> snapshot);
  void post_resume_accepting();
  // What it keeps to be faster goes: idle connections to servers, unused pipes.
  void post_give_back_memory();
  // Ends the sessions of a server that went down or was removed. The pointer is only compared.
  void post_end_sessions(const Server* server, CloseReason reason);
  // Tells on_drained when no session is left. The listeners are to be removed before.
  void post_drain();

  // Peers
  bool pass_on(const std::string& listener, const std::shared_ptr<ConnectionLimit>& limit,
               Fd& client, const Address& peer) override;
  void session_opened() override;
  void session_closed() override;
  void flow_opened() override;
  void flow_closed() override;
  void make_room(const std::string& listener, size_t worker) override;
  bool end_idle(const std::string& listener, Acceptor::Lack lack) override;

 private:
  // A frontend of a listener that is gone, until its sessions have ended.
  struct Removed {
    std::string listener;
    std::unique_ptr<Frontend> frontend;
    std::unique_ptr<Timer> end;
  };

  void adopt(std::shared_ptr<const Snapshot> snapshot);
  void remove(const std::string& listener, std::unique_ptr<Frontend> frontend);
  void take_over(const std::string& listener, ConnectionLimit& limit, Fd client,
                 const Address& peer);
  std::unique_ptr<Frontend> take_back(const std::string& listener, Protocol protocol);
  Frontend* find(const std::string& listener);
  void for_each_frontend(const std::function<void(Frontend&)>& visit);
  void report_if_drained();
  void forget_idle_connections();
  size_t end_idle_here(const std::string& listener, Acceptor::Lack lack);

  const size_t index_;
  WorkerTeam& team_;
  EventLoop loop_;
  Mailbox mailbox_;
  TimeoutQueue timeouts_;
  RelayTools relay_;
  LateResets resets_;
  DatagramTools datagrams_;
  WorkerContext context_;
  HttpTools http_{context_};
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<std::string, std::unique_ptr<Frontend>> frontends_;
  std::vector<Removed> removed_;
  bool draining_ = false;
  std::thread thread_;
};

}  // namespace lb
