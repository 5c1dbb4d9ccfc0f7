// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "health/probe.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace lb {

// How a check speaks TLS, if it does: with whom, and why it cannot.
struct ProbeTls {
  std::shared_ptr<const TlsClientContext> context = {};
  std::string name = {};     // what the server's certificate must be for
  std::string problem = {};  // why there is no context; such a check is not made
};

// The connection of one check at a time: connects, shakes hands, sends, hands over what comes. Its
// owner is told in order, never from within a call of its own, and may close it and open it again
// at any time. Control thread.
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

  ProbeConnection(EventLoop& loop, Owner& owner, std::optional<ProbeTls> tls = std::nullopt);

  void open(const Address& address, const std::optional<Address>& source);
  // Once connected; what the socket does not take at once is kept.
  void send(std::string_view bytes);
  // Bytes are handed over from the moment that they are asked for.
  void receive();
  // Leaves nothing behind in the kernel, which means a reset, unless the peer has ended the
  // connection or has yet to get what was sent.
  void close();

  // Once connected by TLS: when the server's certificate ends, in Unix time.
  std::optional<int64_t> certificate_ends_s() const;

 private:
  enum class State { closed, connecting, shaking_hands, open };

  void on_readable();
  void on_writable();
  void begin_tls();
  void shake_hands();
  void read();
  void flush();
  void fail(const std::string& why, bool made);

  EventLoop& loop_;
  Owner& owner_;
  const std::optional<ProbeTls> tls_;
  State state_ = State::closed;
  uint64_t opened_ = 0;  // times
  Stream stream_;
  IoEvent readable_;
  IoEvent writable_;
  Timer failed_later_;
  int start_error_ = 0;
  bool peer_has_all_ = true;  // as far as its answers tell
  bool peer_ended_ = false;
  std::string unsent_;
};

}  // namespace lb
