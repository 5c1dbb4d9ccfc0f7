// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "admin/http_connection.h"
#include "common/fd.h"
#include "net/event_loop.h"
#include "net/handshake_ration.h"
#include "net/tls_server_context.h"

namespace lb::admin {

// A small HTTP/1.1 server for the control thread: everything that a client can make it hold or wait
// for is bounded (HttpLimits). At most so many connections; one more takes the place of the one
// that has waited longest without a request of its own, for it is likelier to be a person. Why not
// evhttp: docs/adr/0010-own-admin-http-server.md. Loop thread.
class HttpServer {
 public:
  // `listener` listens and is non-blocking.
  HttpServer(EventLoop& loop, Fd listener, HttpHandler& handler, const HttpLimits& limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // For connections from now on; null: in clear.
  void set_tls(std::shared_ptr<const TlsServerContext> tls) { tls_ = std::move(tls); }

  const HttpLimits& limits() const { return limits_; }
  HttpHandler& handler() { return handler_; }
  // A step of a TLS handshake; false when it has to wait for the next turn.
  template <typename Step>
  bool shake_hands(Step step) {
    return handshakes_.run(loop_, step);
  }
  size_t connections() const { return connections_.size(); }

  // A connection is over; it is freed at the end of the turn.
  void ended(HttpConnection& connection);

 private:
  void on_acceptable();
  bool make_room();

  EventLoop& loop_;
  HttpHandler& handler_;
  const HttpLimits limits_;
  Fd listener_;
  std::shared_ptr<const TlsServerContext> tls_;
  HandshakeRation handshakes_;
  IoEvent acceptable_;
  Timer accept_again_;
  std::vector<std::shared_ptr<HttpConnection>> connections_;  // the oldest first
};

}  // namespace lb::admin
