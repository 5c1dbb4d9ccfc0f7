// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/slab.h"
#include "l7/http2_request.h"
#include "l7/http2_sender.h"
#include "l7/server_stream.h"

namespace lb {

class Http2ServerConnection;

// One stream of an HTTP/2 connection to a server: the server's end of one exchange. Holds what the
// connection does not take of a request, and what the client does not take of a response, at most
// its window. Worker thread; owned by its exchange, which its connection knows as long as it is
// attached.
struct Http2ServerStream final : public InSlab<Http2ServerStream>,
                                 public ServerStream,
                                 public Http2Outgoing {
  enum class At : uint8_t { idle, head, body, done, closed };

  Http2ServerStream(Http2ServerConnection& owner, Server& to, bool reused);
  ~Http2ServerStream() override;

  Server& server() const override { return its_server; }
  void start(const RequestHead& head, bool keep, const BodyPart& part, ResponseSink& to) override;
  void send_body(const BodyPart& part) override;
  Pipe* body_pipe() override { return nullptr; }
  void pause() override { paused = true; }
  void resume() override;
  void close() override;
  // That of the connection is its own affair.
  void set_keepalive(const Keepalive&) override {}
  bool is_reused() const override { return was_reused; }
  bool is_through(bool ask) override;
  int failed_connect() const override { return 0; }
  bool is_blocked() const override;
  bool is_broken() const override { return connection == nullptr; }
  bool has_written() const override;
  uint64_t bytes_sent() const override { return sent; }
  uint64_t bytes_received() const override { return received; }
  // The connection stays where it is, the stream is used up.
  bool is_reusable() const override { return false; }

  // Nothing of its response is to come, some is to be passed on.
  bool is_whole() const { return remote_closed && at == At::body; }

  Http2ServerConnection* connection;  // null: it has ended, or this has
  Server& its_server;
  ResponseSink* sink = nullptr;
  Method method = Method::get;
  At at = At::idle;
  int64_t receive_window = 0;
  int64_t unacknowledged = 0;  // of the response's body: passed on, and not yet given back
  uint64_t length_left = 0;    // what the response's Content-Length still promises
  uint64_t begins_at = 0;      // in all that the connection sends
  uint64_t sent = 0;
  uint64_t received = 0;
  std::string held;  // of the response's body, while it is paused
  std::unique_ptr<Http2TrailerReader> held_trailers;
  bool was_reused;
  bool was_through = false;  // when it was attached last
  bool was_written = false;  // likewise
  bool has_length = false;
  bool remote_closed = false;  // the server has sent all
  bool paused = false;
  bool resumed = false;      // to go on with what is held, at the end of this turn
  bool was_blocked = false;  // the exchange has learnt that it is
};

}  // namespace lb
