// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <cerrno>
#include <memory>
#include <span>
#include <string>

#include "common/slab.h"
#include "l7/chunk_decoder.h"
#include "l7/exchange_ends.h"
#include "l7/http1_parser.h"
#include "l7/server_stream.h"
#include "net/event_loop.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/stream_pipe.h"
#include "net/timeout_queue.h"
#include "pool/server.h"

namespace lb {

class ServerConnections;
class TlsClientContext;
struct HttpTools;

// One HTTP/1.1 connection to a server: serves one request at a time, waits in ServerConnections in
// between. Its first request is sent while the connect may still be under way. Reads as soon as
// bytes come, into the worker's scratch, and stops while paused; keeps what the server refuses,
// which is bounded by whoever stops giving it more. Worker thread; owned by its exchange, or by
// ServerConnections while idle.
class ServerConnection final : public InSlab<ServerConnection>,
                               public ServerStream,
                               private Timeout {
 public:
  // `stream` may still be connecting.
  // `context` is what its TLS was made of; null in clear.
  ServerConnection(HttpTools& tools, Server& server, Stream stream,
                   const TlsClientContext* context);
  ~ServerConnection() override;

  Server& server() const override { return server_; }
  const TlsClientContext* context() const { return context_; }
  // Bytes that come before the first request, ahead of TLS too; the connection serves only that
  // one.
  void set_preface(std::string bytes);
  void start(const RequestHead& head, bool keep, const BodyPart& part, ResponseSink& sink) override;
  void send_body(const BodyPart& part) override;
  Pipe* body_pipe() override;
  void pause() override;
  void resume() override;

  void set_keepalive(const Keepalive& keepalive) override;
  bool is_reused() const override { return is_reused_; }
  bool is_through(bool ask) override;
  int failed_connect() const override { return failed_connect_; }
  bool is_blocked() const override { return !backlog_.empty() || pipe_.has_kept(); }
  bool is_broken() const override { return write_broken_; }
  // Nothing has come since the last response, the connection's end neither.
  bool is_silent() const;
  // The last response had no body by its method or status, which not every server minds: before it
  // is used again look whether one came after all.
  bool is_doubtful() const { return is_doubtful_; }
  bool has_written() const override { return has_written_; }
  uint64_t bytes_sent() const override { return bytes_sent_; }
  uint64_t bytes_received() const override { return bytes_received_; }

  bool is_reusable() const override;
  // Waits for the next request, at most that long.
  void park(int64_t keep_alive_ms);
  // Closes now.
  void close() override;

 private:
  enum class At : uint8_t { idle, head, body, done, closed };

  void on_readable();
  void on_writable();
  void on_timeout() override;

  bool shake_hands();
  bool read_once();
  bool splice_once(Pipe& pipe, bool is_first);
  bool is_spliceable() const;
  bool ended(const Transfer& got);
  void take(char* bytes, size_t size);
  void take_head(char* bytes, size_t size);
  BodyPart next_part(char* bytes, size_t size, bool& good);
  void take_end(bool in_order);
  void fail(ServerFailure failure, int error);
  void send(std::span<iovec> pieces);
  void keep_rest(std::span<const iovec> pieces, size_t written);
  void flush();
  void write_failed();
  void note_through();
  // An error of a connection that once stood.
  static bool is_reset(int error) { return error == ECONNRESET || error == EPIPE; }

  HttpTools& tools_;
  Server& server_;
  Stream stream_;
  const TlsClientContext* const context_;
  IoEvent readable_;
  IoEvent writable_;
  ResponseSink* sink_ = nullptr;
  std::string preface_;
  std::string backlog_;  // of the request, not written yet
  std::string partial_;  // of the response's head
  ResponseParser parser_;
  ChunkDecoder decoder_;
  StreamPipe pipe_;  // to the server
  SpliceSense sense_;
  uint64_t left_ = 0;  // of a body with a length
  uint64_t bytes_sent_ = 0;
  uint64_t bytes_received_ = 0;
  int64_t idle_since_ms_ = 0;
  int64_t keep_alive_ms_ = 0;
  int failed_connect_ = 0;
  At at_ = At::idle;
  Method method_ = Method::get;
  BodyKind request_body_ = BodyKind::none;
  BodyKind response_body_ = BodyKind::none;
  bool is_raw_ = false;        // after 101
  bool request_done_ = false;  // its last part was given to us
  bool shutdown_due_ = false;  // raw: after the backlog
  bool is_last_ = false;       // the server closes after this response
  bool is_reused_ = false;
  bool is_through_ = false;
  bool handshaking_ = false;
  bool serves_one_ = false;
  bool read_wants_write_ = false;  // TLS
  bool has_written_ = false;
  bool write_broken_ = false;
  bool is_paused_ = false;
  bool has_sent_ = false;  // anything on this connection
  bool lacks_nodelay_;
  bool surplus_ = false;  // bytes behind the response
  bool is_doubtful_ = false;
};

}  // namespace lb
