// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/fd.h"
#include "health/probe.h"
#include "net/event_loop.h"

namespace lb {

// The connection of one check at a time: connects, sends, hands over what comes. Its owner is told
// in order, never from within a call of its own, and may close it at any time. Control thread.
class ProbeConnection {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_connected() = 0;
    virtual void on_bytes(std::string_view bytes) = 0;
    virtual void on_end() = 0;
    // `made` is false where this machine lacked the means to connect. Closed by then.
    virtual void on_failed(const std::string& why, bool made) = 0;
  };

  ProbeConnection(EventLoop& loop, Owner& owner);

  void open(const Address& address, const std::optional<Address>& source);
  // Once connected; what the socket does not take at once is kept.
  void send(std::string_view bytes);
  // Bytes are handed over from the moment that they are asked for.
  void receive();
  // Leaves nothing behind in the kernel, which means a reset, unless the peer has ended the
  // connection or has yet to get what was sent.
  void close();

 private:
  void on_readable();
  void on_writable();
  void flush();
  void fail(int error);

  EventLoop& loop_;
  Owner& owner_;
  Fd fd_;
  IoEvent readable_;
  IoEvent writable_;
  Timer failed_later_;
  int start_error_ = 0;
  bool connected_ = false;
  bool peer_has_all_ = true;  // as far as its answers tell
  bool peer_ended_ = false;
  std::string unsent_;
};

}  // namespace lb
