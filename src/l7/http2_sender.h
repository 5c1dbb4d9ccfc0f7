// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/intrusive_list.h"
#include "l7/exchange_ends.h"
#include "l7/http2_frame.h"
#include "l7/http2_hpack_encoder.h"
#include "l7/http_message.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace lb {

// What one stream has to send.
struct Http2Outgoing : ListHook {
  uint32_t id = 0;
  int64_t window = 0;
  std::string pending;  // of the body: what window and socket did not take
  size_t pending_at = 0;
  std::unique_ptr<KeptRequest> trailers;
  int64_t stalled_since_ms = 0;  // the peer takes nothing of what is pending; 0 = nothing is
  bool end_due = false;          // the message is complete behind what is pending
  bool end_sent = false;         // END_STREAM is

  size_t pending_size() const { return pending.size() - pending_at; }
};

// The sending half of an HTTP/2 connection, to a client or to a server: puts frames of all streams
// behind each other, as far as windows allow, and writes them in as few calls as may be. Streams
// that have more to send than they may take turns, a frame of each. At most kMostReady bytes of
// bodies wait for the socket. Worker thread.
class Http2Sender {
 public:
  // Who has the connection.
  class Owner {
   public:
    // All that was pending is on its way.
    virtual void on_sent(Http2Outgoing& stream) = 0;
    // The socket takes no more, or takes bytes again.
    virtual void on_stalled() = 0;

   protected:
    ~Owner() = default;
  };

  // One read of a body and what frames it: with less, each read would pause where it comes from.
  static constexpr size_t kMostReady = 68 * 1024;

  // `stream` and `writable` are the owner's; the latter is armed while the socket takes no more.
  Http2Sender(EventLoop& loop, Stream& stream, IoEvent& writable, Owner& owner)
      : loop_(loop), stream_(stream), writable_(writable), owner_(owner) {}

  // For frames that are not of a stream's message.
  std::string& out() { return out_; }
  // A header block. Returns its size on the wire.
  size_t send_head(Http2Outgoing& stream, std::span<const Field> fields, bool end_stream);
  void send_body(Http2Outgoing& stream, const BodyPart& part);
  // Nothing more of this stream is sent.
  void drop(Http2Outgoing& stream);
  // Until the socket or the windows take no more: both tell when they do again, nobody else would.
  void send_all() {
    while (flush() && pump()) {
    }
  }
  // Whether all that is ready is written.
  bool flush();

  // The peer's settings and window updates. False: a window would become too large.
  bool set_first_window(uint32_t size, int64_t& grown);
  bool grow(uint32_t increment);
  static bool grow(Http2Outgoing& stream, int64_t increment);
  int64_t first_window() const { return first_window_; }

  // How much of a stream's body would go at once.
  size_t room(const Http2Outgoing& stream) const;
  bool is_congested() const { return backlog() >= kMostReady; }
  bool is_blocked(const Http2Outgoing& stream) const {
    return stream.pending_size() > 0 || is_congested();
  }
  bool has_failed() const { return failed_; }
  // Before the handshake, say: nothing is written.
  void hold(bool held) { held_ = held; }
  size_t backlog() const { return out_.size() - out_at_; }
  bool empty() const { return backlog() == 0; }
  // Bytes since the connection began: those that are written, and with those that are ready.
  uint64_t written() const { return written_; }
  uint64_t queued() const { return written_ + backlog(); }
  // The socket takes nothing since then; 0 = it does.
  int64_t stalled_since_ms() const { return stalled_since_ms_; }
  // What is idle holds no memory.
  void release();
  // What the peer may do in return for what was sent (Http2Budget), since this was last asked.
  int64_t take_earned() { return std::exchange(earned_, 0); }

 private:
  bool pump();
  size_t emit(Http2Outgoing& stream, std::string_view bytes, bool is_last);
  void emit_end(Http2Outgoing& stream);

  EventLoop& loop_;
  Stream& stream_;
  IoEvent& writable_;
  Owner& owner_;
  HpackEncoder encoder_;
  std::string out_;  // ready to be written
  size_t out_at_ = 0;
  IntrusiveList<Http2Outgoing> waiting_;  // those with something pending
  int64_t window_ = kHttp2FirstWindow;
  int64_t first_window_ = kHttp2FirstWindow;
  int64_t stalled_since_ms_ = 0;
  int64_t earned_ = 0;
  uint64_t written_ = 0;
  bool failed_ = false;
  bool held_ = false;
};

}  // namespace lb
