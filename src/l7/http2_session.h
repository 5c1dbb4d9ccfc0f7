// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/intrusive_list.h"
#include "common/slab.h"
#include "l7/exchange_record.h"
#include "l7/http2_budget.h"
#include "l7/http2_hpack.h"
#include "l7/http2_reader.h"
#include "l7/http2_sender.h"
#include "l7/http2_stream.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/timeout_queue.h"
#include "pool/client_limits.h"
#include "pool/close_reason.h"

namespace lb {

class HttpFrontend;
class Server;

// Who it is, or whom a balancer before us names.
struct Http2Client {
  Address address;
  bool is_trusted = false;
  SourcePlace place = {};
};

// One client's HTTP/2 connection (RFC 9113): cuts what comes into streams, each with an exchange of
// its own, and sends what they answer, a frame of each in turn. What is sent in a turn leaves in
// one write at its end.
//
// Bounds: max_streams exchanges at a time, and 64 begun per turn; of bodies what a Http2Sender has
// ready for the socket; of a response one read per stream, as small as the stream's window
// (body_room()); of requests' bodies kConnectionWindow in all. What costs us more than it costs the
// client draws on budgets, and who has used one up is sent away. Ends in end(), and never deletes
// itself. Worker thread; owned by its frontend.
class Http2Session final : public InSlab<Http2Session>,
                           public ListHook,
                           private Http2Frames,
                           private Http2Sender::Owner,
                           private Timeout,
                           private TurnEnd {
 public:
  static constexpr int64_t kStreamWindow = 256 * 1024;
  static constexpr int64_t kConnectionWindow = 1024 * 1024;

  // `stream` is past its handshake.
  Http2Session(HttpFrontend& frontend, Stream stream, Http2Client client);
  ~Http2Session() override;

  // Once, right after construction, with what was read of it; may end the session.
  void start(std::string_view received);
  void end(CloseReason reason);
  // The listener has other timeouts, or is going.
  void timeouts_changed();
  // The listener limits connections of a source now.
  void count_for_source() { place_.count(); }
  void leave_server(const Server* server);
  // How long it has been without a request; less than nothing where it is not.
  int64_t idle_ms() const { return at_ == At::open && open_ == 0 ? now_ms() - since_ms_ : -1; }
  // Something came that is yet to be read.
  bool has_spoken() const { return yields_ || has_unread(stream_.fd()); }

  // For its streams.
  void send_interim(Http2Stream& stream, const ResponseHead& head);
  void send_response(Http2Stream& stream, const ResponseHead& head, const BodyPart& part);
  void send_body(Http2Stream& stream, const BodyPart& part);
  void reset(Http2Stream& stream, Http2Error error);
  void exchange_done(Http2Stream& stream);
  size_t room(const Http2Stream& stream) const { return sender_.room(stream); }
  bool is_blocked(const Http2Stream& stream) const { return sender_.is_blocked(stream); }
  const TlsSession* tls() const { return stream_.tls(); }
  bool is_gone() const { return gone_ || sender_.has_failed() || at_ == At::ended; }
  // The body of one is to go on.
  void wake() {
    has_resumed_ = true;
    want_end_of_turn();
  }

 private:
  enum class At : uint8_t {
    open,
    going,      // GOAWAY is sent: the streams that there are go on
    flushing,   // nothing more is begun; the client has yet to take what is said
    lingering,  // nothing more is said; what still comes is thrown away
    ended,
  };

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
  void on_stalled() override;
  void on_timeout() override;
  void end_turn() override;

  // What comes (http2_session_in.cc, http2_session_frames.cc).
  void on_readable();
  bool wants_bytes() const;
  void read();
  void read_ended(const Transfer& got);
  void watch();
  void take(std::string_view bytes);
  void fail(const Http2Fault& fault);
  size_t most_of_a_block() const;
  Http2Fault skip(const Http2Block& block);
  Http2Fault on_request(const Http2Block& block);
  Http2Fault take_request(const Http2Block& block, Http2RequestReader& request, KeptRequest& kept);
  Http2Fault on_trailers(Http2Stream& stream, const Http2Block& block);
  Http2Stream& open_stream(uint32_t id, bool remote_closed);
  void begin_tunnel(Http2Stream& stream, KeptRequest& kept);
  void begin_exchange(Http2Stream& stream, const RequestHead& head);
  void refuse(Http2Stream& stream, const RequestHead& head, const HttpRefusal& refusal);
  void log_refused(const RequestHead& head, const HttpRefusal& refusal, size_t bytes);
  void pass_on(Http2Stream& stream, std::string_view bytes, const Trailers* trailers);
  void deliver_held();
  void deliver_held(Http2Stream& stream);
  void give_back(Http2Stream* stream, size_t bytes);
  // Whether a body may lack room to come in: that of others is held.
  bool is_window_closed() const { return receive_window_ < int64_t{kHttp2MaxFrame}; }
  int64_t awaits_body_since_ms(const Http2Stream& stream) const;
  Http2Fault spend(int64_t tokens);
  Http2Fault waste();
  Http2Fault blame(Http2Stream& stream, Http2Error error);
  Http2Fault blame(uint32_t id, Http2Error error);
  Http2Fault set_first_window(uint32_t size);
  Http2Stream* find(uint32_t id) const;
  bool is_idle(uint32_t id) const;
  void remember_reset(uint32_t id);
  bool was_reset(uint32_t id) const;

  // What goes (http2_session_out.cc).
  void on_writable();
  void send_first_settings();
  void append_head(Http2Stream& stream, const ResponseHead& head, bool end_stream);
  void note_blocked(Http2Stream& stream);
  void wake_unblocked();
  void settle(Http2Stream& stream);
  void close_stream(Http2Stream& stream);
  void sweep();
  void give_up(Http2Stream& stream, Http2Error error, ExchangeEnd why);
  void give_up_all(ExchangeEnd why);
  void announce_drain();
  void go_away(Http2Error error, std::string_view why);
  void close_if_done();
  void linger();
  void read_to_nowhere();
  void want_end_of_turn();
  void look_within(std::chrono::milliseconds limit);
  void lower_deadline();
  int64_t next_deadline_ms() const;
  void end_late_streams();
  int64_t now_ms() const;

  static constexpr int64_t kFrameCost = 1;
  static constexpr int64_t kPingCost = 2;
  static constexpr size_t kMostBacklog = 4 * Http2Sender::kMostReady;

  HttpFrontend& frontend_;
  Stream stream_;
  IoEvent readable_;
  IoEvent writable_;
  Http2Reader reader_;
  HpackDecoder decoder_;
  Http2Sender sender_;
  const Address peer_;
  const bool is_trusted_;
  SourcePlace place_;
  std::string in_;                                     // read, and left for the next turn
  std::vector<std::unique_ptr<Http2Stream>> streams_;  // by id
  std::vector<uint32_t> resets_;                       // the last ones that we reset
  size_t next_reset_ = 0;
  size_t open_ = 0;         // streams that are not closed
  uint32_t last_id_ = 0;    // of all that the client has begun
  uint32_t served_id_ = 0;  // of those that were not turned away with the connection
  uint32_t begun_ = 0;      // in this turn
  int64_t receive_window_ = kConnectionWindow;
  int64_t unacknowledged_ = 0;
  int64_t window_since_ms_ = 0;  // when the connection's was opened again
  int64_t since_ms_;             // when the last stream ended, or the present state began
  int64_t head_since_ms_ = 0;
  int64_t drain_since_ms_ = 0;  // the client was told that the end is near
  Http2Budget frames_;          // that are of no use by themselves
  Http2Budget wasted_;          // streams that end before their response, by the client's doing
  CloseReason why_ = CloseReason::finished;
  At at_ = At::open;
  bool in_head_ = true;
  bool head_done_ = false;  // one at least, in what was read last
  bool client_going_ = false;
  bool settings_open_ = true;  // ours are not acknowledged
  bool has_closed_ = false;    // streams that are to be freed
  bool has_resumed_ = false;   // or to go on with what they hold
  bool has_blocked_ = false;   // or whose exchanges wait until they can send
  bool in_end_of_turn_ = false;
  bool gone_ = false;
  bool yields_ = false;            // in_ has more for the next turn
  bool read_wants_write_ = false;  // TLS
};

}  // namespace lb
