// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "app/demo_http.h"
#include "common/address.h"
#include "common/fd.h"
#include "common/result.h"
#include "net/acceptor.h"
#include "net/connection_limit.h"
#include "net/event_loop.h"
#include "net/mailbox.h"

namespace lb {

// An example server: answers each line with its name and the line ("red: hello"), and HTTP requests
// as a small shop that reports its load (DemoShop, DemoWork); a connection's first line tells
// which. In `lb demo` it has a free port of 127.0.0.1 that stays its own while it is closed. Has an
// event loop and a thread of its own. At most 1,000 connections at a time, more wait; a line has at
// most 4,096 bytes, a longer one ends its connection. Public functions: control thread.
class DemoServer {
 public:
  DemoServer(std::string name, const DemoBehavior& behavior,
             std::shared_ptr<DemoPictures> pictures);
  ~DemoServer();
  DemoServer(const DemoServer&) = delete;
  DemoServer& operator=(const DemoServer&) = delete;

  // Opens the address, whose port may be 0 for any, and starts the thread. Once.
  Status<> start(const Address& address);
  // As a crash would: the listening socket is closed, every connection reset.
  void close();
  // Listens again, on the same port.
  Status<> open();

  const std::string& name() const { return name_; }
  const Address& address() const { return address_; }
  uint32_t connections() const { return connections_.open(); }

 private:
  class Conversation;

  void serve(Fd client);
  void ended(const Conversation& conversation);

  const std::string name_;
  Address address_;
  Fd reserved_;
  EventLoop loop_;
  Mailbox mailbox_;
  ConnectionLimit connections_;
  ConnectionLimit no_limit_;
  Fd listening_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unordered_map<const Conversation*, std::unique_ptr<Conversation>> conversations_;
  const std::shared_ptr<DemoPictures> pictures_;
  DemoShop shop_;
  DemoWork work_;
  DemoHttpTools http_;
  std::thread thread_;
};

}  // namespace lb
