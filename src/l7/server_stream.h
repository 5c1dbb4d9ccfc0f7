// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "l7/exchange_ends.h"

namespace lb {

class Server;
class ServerConnection;
struct Keepalive;

// The server's end of one exchange, whatever protocol its connection speaks: a connection of
// HTTP/1.1, or a stream of one that others share. What comes back a ResponseSink hears of; what
// came of a call is asked for afterwards. Worker thread; owned by its exchange.
class ServerStream {
 public:
  virtual ~ServerStream() = default;

  virtual Server& server() const = 0;
  // Sends a request, whose response goes to `sink`. `keep`: the connection may be kept.
  virtual void start(const RequestHead& head, bool keep, const BodyPart& part,
                     ResponseSink& sink) = 0;
  virtual void send_body(const BodyPart& part) = 0;
  // As ClientStream::body_pipe().
  virtual Pipe* body_pipe() = 0;
  // Nothing of the body is passed on until resume().
  virtual void pause() = 0;
  virtual void resume() = 0;
  // Nobody's any more; what is not complete is given up.
  virtual void close() = 0;

  virtual void set_keepalive(const Keepalive& keepalive) = 0;
  // The connection has served a request before.
  virtual bool is_reused() const = 0;
  // The connection stands, as far as bytes have told; asks the kernel if `ask`.
  virtual bool is_through(bool ask) = 0;
  // A connect that failed at once: its errno, else 0.
  virtual int failed_connect() const = 0;
  // Bytes of the request wait for the server: no more until on_server_drained().
  virtual bool is_blocked() const = 0;
  // It takes no more: what it is sent is lost.
  virtual bool is_broken() const = 0;
  // At least one byte of the request is on its way, and the server may have done something about
  // it.
  virtual bool has_written() const = 0;
  virtual uint64_t bytes_sent() const = 0;
  virtual uint64_t bytes_received() const = 0;
  // Request and response are complete and nothing is left in between: it may be given to
  // ServerConnections::keep() for another.
  virtual bool is_reusable() const = 0;
};

}  // namespace lb
