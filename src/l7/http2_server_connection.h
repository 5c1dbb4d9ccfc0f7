// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/slab.h"
#include "l7/http2_budget.h"
#include "l7/http2_hpack.h"
#include "l7/http2_reader.h"
#include "l7/http2_sender.h"
#include "l7/http2_server_stream.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/timeout_queue.h"

namespace lb {

class TlsClientContext;
struct HttpTools;

// One HTTP/2 connection to a server, shared by the exchanges of its worker: as many streams as the
// server allows (kMostStreams at most), begun while the connect may still be under way. Where the
// server says that it is going, the streams that it will not serve fail unsent, the others go on,
// and no more are begun.
//
// What the server sends is taken at once, lest a client that takes nothing holds up the others:
// each stream holds its window at most, and what it holds of a response that came whole outlives a
// reset and the socket. Worker thread; owned by ServerConnections.
class Http2ServerConnection final : public InSlab<Http2ServerConnection>,
                                    private Http2Frames,
                                    private Http2Sender::Owner,
                                    private Timeout,
                                    private TurnEnd {
 public:
  static constexpr int64_t kStreamWindow = 128 * 1024;
  static constexpr int64_t kConnectionWindow = 16 * 1024 * 1024;
  static constexpr size_t kMostStreams = 256;

  // How long it stays without a stream.
  struct Idle {
    bool is_kept = true;
    int64_t most_ms = 0;  // 0 = for ever
  };

  // `stream` may still be connecting. `context` is what its TLS was made of; null in clear.
  Http2ServerConnection(HttpTools& tools, Server& server, Stream stream,
                        const TlsClientContext* context, const Idle& idle);
  ~Http2ServerConnection() override;

  Server& server() const { return server_; }
  const TlsClientContext* context() const { return context_; }
  // Bytes that come before all, ahead of TLS too; the connection serves only one request.
  void set_preface(std::string_view bytes);
  void set_keepalive(const Keepalive& keepalive);
  bool has_room() const;
  // How many streams the server allows at a time; until it says so on this connection, what it said
  // on another.
  size_t most_streams() const { return most_streams_; }
  void expect_streams(size_t most) { most_streams_ = most; }
  std::unique_ptr<ServerStream> open();
  // No further stream is begun; it ends with the last one.
  void leave();
  bool is_idle() const { return streams_.empty(); }
  // Nobody's any more; closes now.
  void close();

  // For its streams.
  void start(Http2ServerStream& stream, const RequestHead& head, const BodyPart& part);
  void send_body(Http2ServerStream& stream, const BodyPart& part);
  void give_up(Http2ServerStream& stream);
  bool is_through(bool ask);
  bool is_blocked(const Http2ServerStream& stream) const { return sender_.is_blocked(stream); }
  bool has_written(const Http2ServerStream& stream) const;
  void wake();

 private:
  Http2Fault on_data_frame(uint32_t stream, uint32_t length) override;
  Http2Fault on_data(uint32_t stream, std::string_view bytes, size_t padding,
                     bool end_stream) override;
  Http2Fault on_headers(const Http2Block& block) override;
  Http2Fault on_priority(uint32_t stream, bool on_itself) override;
  Http2Fault on_reset(uint32_t stream, Http2Error error) override;
  Http2Fault on_setting(Http2Setting setting, uint32_t value) override;
  Http2Fault on_settings_end() override;
  Http2Fault on_settings_ack() override;
  Http2Fault on_ping(std::string_view opaque, bool is_ack) override;
  Http2Fault on_goaway(uint32_t last_stream, Http2Error error) override;
  Http2Fault on_window_update(uint32_t stream, uint32_t increment) override;
  Http2Fault on_unknown_frame() override;
  void on_sent(Http2Outgoing& stream) override;
  void on_stalled() override {}
  void on_timeout() override;
  void end_turn() override;

  void on_readable();
  void on_writable();
  bool shake_hands();
  bool read_once();
  void note_through();
  void end_of_connect(int error);
  void append_head(Http2ServerStream& stream, const RequestHead& head, bool end_stream);
  Http2Fault on_response(Http2ServerStream& stream, const Http2Block& block);
  Http2Fault on_trailers(Http2ServerStream& stream, const Http2Block& block);
  void pass_on(Http2ServerStream& stream, std::string_view bytes, const Trailers* trailers);
  void deliver_held();
  void deliver_held(Http2ServerStream& stream);
  void wake_drained();
  void give_back(Http2ServerStream& stream, size_t bytes);
  void blame(Http2ServerStream& stream, Http2Error error);
  void fail(Http2ServerStream& stream, ServerFailure failure, int error);
  void fail_all(ServerFailure failure, int error);
  void broken(const Http2Fault& fault);
  void let_go(Http2ServerStream& stream);
  void hang_up();
  void write();
  void detach(Http2ServerStream& stream);
  void note_blocked(Http2ServerStream& stream);
  bool is_waiting(const Http2ServerStream& stream) const;
  Http2ServerStream* find(uint32_t id) const;
  bool is_attached(const Http2ServerStream* stream) const;
  bool is_unused(uint32_t id) const { return id % 2 == 0 || id >= next_id_; }
  Http2Fault spend(int64_t tokens);
  bool is_of_no_more_use() const;
  void want_end_of_turn();

  HttpTools& tools_;
  Server& server_;
  Stream stream_;
  const TlsClientContext* const context_;
  IoEvent readable_;
  IoEvent writable_;
  Http2Reader reader_;
  HpackDecoder decoder_;
  Http2Sender sender_;
  Http2Budget frames_;
  std::vector<Http2ServerStream*> streams_;  // that were begun, by id
  uint32_t next_id_ = 1;
  size_t most_streams_ = 100;  // until the server says
  int64_t receive_window_ = kConnectionWindow;
  int64_t unacknowledged_ = 0;
  int64_t idle_since_ms_;
  int64_t silent_since_ms_ = 0;  // nothing came, though it was asked something; 0 = it was not
  const Idle idle_;
  bool handshaking_;
  bool is_through_ = false;
  bool serves_one_ = false;
  bool is_going_ = false;
  bool has_resumed_ = false;
  bool has_blocked_ = false;
  bool in_end_of_turn_ = false;
  bool read_wants_write_ = false;  // TLS
  bool is_closed_ = false;         // its socket is
};

}  // namespace lb
