// SPDX-License-Identifier: MIT
// The connection as a whole: its beginning, its time limits, and the ways in which it ends.
#include "l7/http2_session.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "l7/exchange.h"
#include "l7/http_frontend.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr int64_t kNever = INT64_MAX;
constexpr int kReadsPerTurn = 4;
// What is refused may go on sending for so long, lest a reset takes the reason away again.
constexpr int64_t kLinger_ms = 2'000;
// How long a client may still begin requests after it was told that the connection is to end.
constexpr int64_t kLastRequests_ms = 1'000;
constexpr std::string_view kDrainPing = "lb drain";

// Frames that cost us something and are of no use by themselves: thousands at once, hundreds a
// second. Requests and bodies that are sent earn more.
constexpr Http2Budget::Size kFrames{2'000, 500};
// Requests that the client gives up before an answer: a page that is left may be a hundred.
constexpr Http2Budget::Size kWasted{200, 10};

}  // namespace

Http2Session::Http2Session(HttpFrontend& frontend, Stream stream, Http2Client client)
    : frontend_(frontend),
      stream_(std::move(stream)),
      reader_(*this, kHttp2Preface, frontend.config().http.limits.max_header_size + kHttp2MaxFrame),
      sender_(frontend.worker().loop, stream_, writable_, *this),
      peer_(client.address),
      is_trusted_(client.is_trusted),
      place_(std::move(client.place)),
      since_ms_(now_ms()),
      head_since_ms_(since_ms_),
      frames_(kFrames, since_ms_),
      wasted_(kWasted, since_ms_) {}

Http2Session::~Http2Session() = default;

int64_t Http2Session::now_ms() const {
  return frontend_.worker().loop.now_ms();
}

void Http2Session::start(std::string_view received) {
  EventLoop& loop = frontend_.worker().loop;
  readable_.bind<&Http2Session::on_readable>(loop, stream_.fd(), IoEvent::kRead, this);
  writable_.bind<&Http2Session::on_writable>(loop, stream_.fd(), IoEvent::kWrite, this);
  send_first_settings();
  timeouts_changed();  // a drain, too, may have begun
  if (received.empty()) return read();
  take(received);
  watch();
}

void Http2Session::want_end_of_turn() {
  if (!in_end_of_turn_ && at_ != At::ended) frontend_.worker().loop.at_end_of_turn(*this);
}

// Everything that a turn's events have left to do, once for all of them.
void Http2Session::end_turn() {
  if (at_ == At::ended) return;
  in_end_of_turn_ = true;
  if (std::exchange(has_resumed_, false)) deliver_held();
  sender_.send_all();
  if (std::exchange(has_blocked_, false)) wake_unblocked();
  sweep();
  in_end_of_turn_ = false;
  bool is_unsent = !sender_.empty() && sender_.stalled_since_ms() == 0;
  if (has_resumed_ || is_unsent) want_end_of_turn();
  if (open_ == 0) sender_.release();
  if (is_gone()) return end(CloseReason::client_reset);
  close_if_done();
  watch();
}

void Http2Session::leave_server(const Server* server) {
  for (auto& stream : streams_) {
    if (stream->exchange && stream->exchange->server() == server) {
      stream->exchange->leave_server();
    }
  }
  want_end_of_turn();
}

void Http2Session::timeouts_changed() {
  if (frontend_.is_draining() && at_ == At::open && drain_since_ms_ == 0) announce_drain();
  lower_deadline();
}

// Requests that are on their way are still served: the last stream is named when the client has
// heard of it (RFC 9113, 6.8).
void Http2Session::announce_drain() {
  drain_since_ms_ = now_ms();
  append_goaway(sender_.out(), kHttp2MaxStream, Http2Error::no_error, {});
  append_ping(sender_.out(), kDrainPing, false);
  want_end_of_turn();
}

Http2Fault Http2Session::on_ping(std::string_view opaque, bool is_ack) {
  if (!is_ack) {
    append_ping(sender_.out(), opaque, true);
    return spend(kPingCost);
  }
  if (opaque != kDrainPing || drain_since_ms_ == 0) return spend(kFrameCost);
  if (at_ == At::open) go_away(Http2Error::no_error, {});
  return {};
}

void Http2Session::go_away(Http2Error error, std::string_view why) {
  append_goaway(sender_.out(), served_id_, error, why);
  at_ = At::going;
  want_end_of_turn();
}

// Nothing that comes after it is read any more.
void Http2Session::fail(const Http2Fault& fault) {
  log::debug("listener {}: {}: HTTP/2: {}", frontend_.config().name, peer_.to_string(), fault.why);
  why_ = CloseReason::protocol_error;
  go_away(fault.error, fault.why);
  give_up_all(ExchangeEnd::client_gone);
  at_ = At::flushing;
}

void Http2Session::close_if_done() {
  if (at_ == At::ended || at_ == At::lingering) return;
  bool is_last = at_ == At::going || client_going_;
  if (is_last && open_ == 0) at_ = At::flushing;
  if (at_ == At::flushing && sender_.empty()) linger();
}

void Http2Session::linger() {
  if (stream_.shutdown_write().outcome == Transfer::Outcome::failed) return end(why_);
  at_ = At::lingering;
  since_ms_ = now_ms();
  readable_.arm();
  look_within(milliseconds(kLinger_ms));
}

void Http2Session::read_to_nowhere() {
  char* scratch = frontend_.tools().client_scratch.get();
  for (int i = 0; i < kReadsPerTurn; ++i) {
    Transfer got = stream_.read({scratch, HttpTools::kScratchSize});
    if (got.outcome == Transfer::Outcome::wants_read) return;
    if (got.outcome != Transfer::Outcome::done) return end(why_);
  }
}

void Http2Session::on_timeout() {
  if (at_ == At::ended) return;
  int64_t now = now_ms();
  if (now < next_deadline_ms()) return lower_deadline();
  const ListenerTimeouts& limits = frontend_.config().timeouts;
  auto is_over = [now](int64_t since_ms, milliseconds limit) {
    return limit.count() > 0 && now >= since_ms + limit.count();
  };
  if (sender_.stalled_since_ms() != 0 && is_over(sender_.stalled_since_ms(), limits.send)) {
    return end(CloseReason::send_timeout);
  }
  if (at_ == At::lingering) return end(why_);
  if (at_ == At::flushing) return;
  if (in_head_ && is_over(head_since_ms_, limits.request_header)) {
    fail({Http2Error::enhance_your_calm, "no complete head in time"});
  } else if (open_ == 0 && is_over(since_ms_, limits.keep_alive)) {
    why_ = CloseReason::idle_timeout;
    go_away(Http2Error::no_error, {});
  } else if (drain_since_ms_ != 0 && at_ == At::open &&
             is_over(drain_since_ms_, milliseconds(kLastRequests_ms))) {
    go_away(Http2Error::no_error, {});
  }
  end_late_streams();
  want_end_of_turn();
  lower_deadline();
}

// Those whose client sends, or takes, nothing for too long.
void Http2Session::end_late_streams() {
  const ListenerTimeouts& limits = frontend_.config().timeouts;
  int64_t now = now_ms();
  for (auto& stream : streams_) {
    if (stream->closed) continue;
    if (stream->stalled_since_ms != 0 && limits.send.count() > 0 &&
        now >= stream->stalled_since_ms + limits.send.count()) {
      give_up(*stream, Http2Error::cancel, ExchangeEnd::send_timeout);
    } else if (int64_t since_ms = awaits_body_since_ms(*stream);
               since_ms != 0 && limits.request_body.count() > 0 &&
               now >= since_ms + limits.request_body.count()) {
      stream->exchange->refuse(408, ExchangeEnd::client_timeout);
    }
  }
}

// Since when it is for the client to send more of a body; 0 = it is not.
int64_t Http2Session::awaits_body_since_ms(const Http2Stream& stream) const {
  if (!stream.awaits_body() || is_window_closed()) return 0;
  return std::max(stream.since_ms, window_since_ms_);
}

void Http2Session::look_within(milliseconds limit) {
  if (limit.count() > 0) frontend_.worker().timeouts.set_at_most(*this, now_ms() + limit.count());
}

void Http2Session::lower_deadline() {
  int64_t deadline_ms = next_deadline_ms();
  if (deadline_ms != kNever) frontend_.worker().timeouts.set_at_most(*this, deadline_ms);
}

int64_t Http2Session::next_deadline_ms() const {
  const ListenerTimeouts& limits = frontend_.config().timeouts;
  int64_t deadline_ms = kNever;
  auto consider = [&deadline_ms](int64_t since_ms, milliseconds limit) {
    if (limit.count() > 0) deadline_ms = std::min(deadline_ms, since_ms + limit.count());
  };
  if (sender_.stalled_since_ms() != 0) consider(sender_.stalled_since_ms(), limits.send);
  if (at_ == At::lingering) consider(since_ms_, milliseconds(kLinger_ms));
  if (at_ != At::open && at_ != At::going) return deadline_ms;
  if (in_head_) consider(head_since_ms_, limits.request_header);
  if (open_ == 0) consider(since_ms_, limits.keep_alive);
  if (at_ == At::open && drain_since_ms_ != 0) {
    consider(drain_since_ms_, milliseconds(kLastRequests_ms));
  }
  for (const auto& stream : streams_) {
    if (stream->closed) continue;
    if (stream->stalled_since_ms != 0) consider(stream->stalled_since_ms, limits.send);
    if (int64_t since_ms = awaits_body_since_ms(*stream)) consider(since_ms, limits.request_body);
  }
  return deadline_ms;
}

void Http2Session::end(CloseReason reason) {
  if (at_ == At::ended) return;
  if (reason == CloseReason::no_room) {  // what may have come meanwhile was not served
    append_goaway(sender_.out(), served_id_, Http2Error::no_error, {});
    sender_.flush();
  }
  bool told = at_ == At::lingering || is_gone();
  if (stream_.is_tls() && !told) (void)stream_.shutdown_write();
  at_ = At::ended;
  frontend_.cell().ended[static_cast<size_t>(reason)].add();
  give_up_all(end_of_exchange(reason));
  log::debug("listener {}: {} closed: {}", frontend_.config().name, peer_.to_string(),
             to_string(reason));
  frontend_.worker().timeouts.clear(*this);
  // What the client does not take would be held for it by the kernel.
  if (reason == CloseReason::send_timeout && !stream_.is_tls()) set_reset_on_close(stream_.fd());
  // A closed descriptor needs no epoll_ctl of its own, unless both are armed (net/relay.h).
  if (readable_.armed()) writable_.disarm();
  stream_.close();
  readable_.disarm();
  writable_.disarm();
  place_ = SourcePlace();
  frontend_.session_ended(*this);
}

}  // namespace lb
