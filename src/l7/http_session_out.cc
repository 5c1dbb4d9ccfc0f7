// SPDX-License-Identifier: MIT
// What goes to the client: responses, refusals, and the ways in which a connection ends.
#include <algorithm>
#include <array>
#include <utility>

#include "common/log.h"
#include "l7/exchange.h"
#include "l7/http_frontend.h"
#include "l7/http_session_work.h"
#include "l7/own_response.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr int64_t kNever = INT64_MAX;
// From when on it matters that a client goes away before its response.
constexpr int64_t kWatchAfter_ms = 50;
constexpr int kReadsPerTurn = 4;
// How long a client that was refused may go on sending until its connection is closed: without
// reading it the kernel would answer by a reset, which takes the response away again.
constexpr int64_t kLinger_ms = 2'000;
// How often it is asked whether a client is still there whose body is not read.
constexpr int64_t kLook_ms = 500;

// How long clients may still ask something of a listener that is going: those that are busy learn
// of it by a response, rather than by a connection that closes under their next request.
constexpr int64_t kLastRequest_ms = 1'000;

iovec piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

// `bytes` are what came of the head.
void HttpSession::refuse(const HttpRefusal& refusal, ExchangeEnd why, std::string_view bytes) {
  log::debug("listener {}: {}: {}", frontend_.config().name, peer_.to_string(), refusal.why);
  BodyPart part;
  ResponseHead& head = frontend_.tools().response;
  if (why == ExchangeEnd::plain_http) {
    make_plain_http_response(head, part);
  } else {
    make_own_response(refusal.status, head, part);
  }
  head.fields.push_back({"Date", frontend_.tools().date.now(), FieldId::date});
  keep_ = false;
  body_done_ = true;
  minor_is_0_ = false;
  send_response(head, part);
  RequestHead& request = frontend_.tools().request;
  read_request_line(bytes, request);
  frontend_.exchange_over({.client = peer_,
                           .tls = stream_.tls(),
                           .request = request.method_name.empty() ? nullptr : &request,
                           .path = request.path,
                           .status = refusal.status,
                           .end = why,
                           .response_bytes = part.bytes.size(),
                           .total_us = -1});
  if (gone_) return end(CloseReason::client_reset);
  body_done_ = false;  // whatever else comes is not read
  close_after_flush();
}

void HttpSession::send_interim(const ResponseHead& head) {
  if (minor_is_0_) return;
  std::string& out = frontend_.tools().out;
  out.clear();
  write_response(head, Ending::keep_alive, false, out);
  std::array<iovec, 1> pieces = {piece(out)};
  send(pieces);
  if (head.status != 100) return;
  since_ms_ = now_ms();  // from here on it is for the client to send
  lower_deadline();
}

void HttpSession::send_response(const ResponseHead& head, const BodyPart& part) {
  bool is_streamed = head.body == BodyKind::streamed || head.body == BodyKind::until_close;
  raw_ = head.status == 101;
  if (raw_) {
    body_done_ = false;
    paused_ = true;
    out_body_ = BodyKind::until_close;
  } else {
    keep_ = keep_ && !head.is_last && body_done_ && !frontend_.is_draining() &&
            !(is_streamed && minor_is_0_);
    out_body_ = is_streamed && !minor_is_0_ ? BodyKind::streamed : BodyKind::none;
  }
  Ending ending = !keep_        ? Ending::close
                  : minor_is_0_ ? Ending::says_keep_alive
                                : Ending::keep_alive;
  std::string& out = frontend_.tools().out;
  out.clear();
  write_response(head, ending, !minor_is_0_, out);
  frontend_.cell().bytes_out.add(out.size());
  std::string tail;
  if (out_body_ == BodyKind::streamed) {
    if (!part.bytes.empty()) {
      write_chunk_start(part.bytes.size(), out);
      tail = "\r\n";
    }
    if (part.is_last)
      write_last_chunk(part.trailers != nullptr ? *part.trailers : Trailers(), tail);
  }
  std::array<iovec, 3> pieces = {piece(out), piece(part.bytes), piece(tail)};
  send(pieces);
}

Pipe* HttpSession::body_pipe() {
  bool fits = out_body_ != BodyKind::streamed && !stream_.is_tls() && !is_blocked() && !gone_;
  return fits ? work().pipe.get(frontend_.worker().relay.pipes) : nullptr;
}

void HttpSession::send_body(const BodyPart& part) {
  if (part.piped > 0) {
    work().stalled_since_ms = now_ms();
    if (!flush() && is_blocked()) lower_deadline();
    return;
  }
  std::string start;
  std::string tail;
  if (out_body_ == BodyKind::streamed) {
    if (!part.bytes.empty()) {
      write_chunk_start(part.bytes.size(), start);
      tail = "\r\n";
    }
    if (part.is_last)
      write_last_chunk(part.trailers != nullptr ? *part.trailers : Trailers(), tail);
  }
  std::array<iovec, 3> pieces = {piece(start), piece(part.bytes), piece(tail)};
  send(pieces);
  if (raw_ && part.is_last) {
    shutdown_due_ = true;
    if (!is_blocked()) flush();
  }
}

void HttpSession::send(std::span<iovec> pieces) {
  size_t size = 0;
  for (const iovec& one : pieces) size += one.iov_len;
  if (size == 0 || gone_) return;
  Work& now = work();
  size_t written = 0;
  if (now.backlog.empty()) {
    Transfer sent = stream_.writev(pieces);
    if (sent.outcome == Transfer::Outcome::failed) {
      gone_ = true;
      return;
    }
    written = sent.bytes;
    if (written == size) return;
    if (sent.outcome != Transfer::Outcome::wants_read) now.writable.arm();
    now.stalled_since_ms = now_ms();
  }
  for (const iovec& one : pieces) {
    if (written >= one.iov_len) {
      written -= one.iov_len;
      continue;
    }
    now.backlog.append(static_cast<const char*>(one.iov_base) + written, one.iov_len - written);
    written = 0;
  }
  lower_deadline();
}

bool HttpSession::is_blocked() const {
  return work_ && (!work_->backlog.empty() || work_->pipe.has_kept());
}

// Whether all is sent.
bool HttpSession::flush() {
  Work& now = work();
  while (!now.backlog.empty()) {
    Transfer sent = stream_.write(now.backlog);
    if (sent.outcome == Transfer::Outcome::failed) {
      gone_ = true;
      return false;
    }
    if (sent.outcome != Transfer::Outcome::done) return false;
    now.stalled_since_ms = now_ms();
    now.backlog.erase(0, sent.bytes);
  }
  now.backlog.shrink_to_fit();
  if (now.pipe.has_kept()) {
    Transfer sent = now.pipe.write_to(stream_);
    gone_ |= sent.outcome == Transfer::Outcome::failed;
    if (sent.bytes > 0) now.stalled_since_ms = now_ms();
    if (now.pipe.has_kept() && !gone_) now.writable.arm();
    if (now.pipe.has_kept()) return false;
  }
  now.stalled_since_ms = 0;
  now.writable.disarm();
  if (std::exchange(shutdown_due_, false)) (void)stream_.shutdown_write();
  return true;
}

void HttpSession::on_writable() {
  if (at_ == At::ended) return;
  if (at_ == At::handshake) return shake_hands();
  if (std::exchange(read_wants_write_, false) && wants_bytes()) {
    readable_.arm();
    readable_.set_again(true);
  }
  bool had_backlog = is_blocked();
  if (!flush()) {
    if (gone_) take_end(false);
    return;
  }
  if (at_ == At::flushing) return keep_ ? go_on() : close_after_flush();
  if (at_ == At::exchange && had_backlog) work_->exchange->client_drained();
}

// Nothing more is said on this connection.
void HttpSession::close_after_flush() {
  if (is_blocked()) {
    keep_ = false;
    at_ = At::flushing;
    return;
  }
  if (must_linger()) return linger();
  end(CloseReason::finished);
}

// Closing would reset the connection as soon as anything comes, or when something has come: what
// the client has not got by then is lost (RFC 9112, 9.6).
bool HttpSession::must_linger() const {
  if (raw_) return false;
  bool more_came = !body_done_ || (work_ && !work_->in.empty());
  return more_came || unsent_bytes(stream_.fd()) > 0 || has_unread(stream_.fd());
}

void HttpSession::linger() {
  if (stream_.shutdown_write().outcome == Transfer::Outcome::failed) {
    return end(CloseReason::client_reset);
  }
  at_ = At::lingering;
  since_ms_ = now_ms();
  work().in.clear();
  work().unsent = unsent_bytes(stream_.fd());
  readable_.arm();
  lower_deadline();
}

// Whether it took something since it was last asked.
bool HttpSession::still_takes() {
  size_t before = std::exchange(work().unsent, unsent_bytes(stream_.fd()));
  if (work().unsent == 0 || work().unsent >= before) return false;
  since_ms_ = now_ms();
  lower_deadline();
  return true;
}

// Whether a client whose body is not read is gone.
bool HttpSession::has_left() {
  if (at_ != At::exchange || !paused_ || raw_ || now_ms() < work_->looked_ms + kLook_ms)
    return false;
  work_->looked_ms = now_ms();
  return peer_has_closed(stream_.fd());
}

void HttpSession::read_to_nowhere() {
  char* scratch = frontend_.tools().client_scratch.get();
  for (int i = 0; i < kReadsPerTurn; ++i) {
    Transfer got = stream_.read({scratch, HttpTools::kScratchSize});
    if (got.outcome == Transfer::Outcome::wants_read) return;
    if (got.outcome != Transfer::Outcome::done) return end(CloseReason::finished);
  }
}

void HttpSession::timeouts_changed() {
  lower_deadline();
}

void HttpSession::on_timeout() {
  if (at_ == At::ended) return;
  if (at_ == At::exchange && !readable_.armed() && wants_bytes()) await_bytes();
  if (has_left()) return take_end(false);
  int64_t deadline_ms = next_deadline_ms();
  if (now_ms() < deadline_ms) {
    if (deadline_ms != kNever) frontend_.worker().timeouts.set(*this, deadline_ms);
    return;
  }
  if (is_blocked()) return end(CloseReason::send_timeout);
  switch (at_) {
    case At::head:
      return refuse({408, "no complete head in time"}, ExchangeEnd::client_timeout, work_->in);
    case At::exchange:
      keep_ = false;
      return work_->exchange->refuse(408, ExchangeEnd::client_timeout);
    case At::lingering:
      if (still_takes()) return;
      return end(CloseReason::finished);
    case At::proxy_header:
    case At::handshake:
      return end(CloseReason::header_timeout);
    default:
      return end(CloseReason::idle_timeout);
  }
}

void HttpSession::lower_deadline() {
  int64_t deadline_ms = next_deadline_ms();
  if (deadline_ms != kNever) frontend_.worker().timeouts.set_at_most(*this, deadline_ms);
}

int64_t HttpSession::next_deadline_ms() const {
  const ListenerTimeouts& limits = frontend_.config().timeouts;
  int64_t deadline_ms = kNever;
  auto consider = [&deadline_ms](int64_t since_ms, milliseconds limit) {
    if (limit.count() > 0) deadline_ms = std::min(deadline_ms, since_ms + limit.count());
  };
  if (is_blocked()) consider(work_->stalled_since_ms, limits.send);
  switch (at_) {
    case At::proxy_header:
    case At::handshake:
      consider(since_ms_, limits.tls_handshake);
      break;
    case At::idle:
      consider(since_ms_, limits.keep_alive);
      if (frontend_.is_draining()) {
        consider(std::max(since_ms_, frontend_.draining_since_ms()), milliseconds(kLastRequest_ms));
      }
      break;
    case At::head:
      consider(since_ms_, limits.request_header);
      break;
    case At::exchange:
      if (!raw_ && work_->exchange && work_->exchange->awaits_body() && !is_blocked()) {
        consider(since_ms_, limits.request_body);
      }
      if (!readable_.armed() && wants_bytes()) consider(since_ms_, milliseconds(kWatchAfter_ms));
      if (paused_ && !raw_) consider(work_->looked_ms, milliseconds(kLook_ms));
      break;
    case At::lingering:
      consider(since_ms_, milliseconds(kLinger_ms));
      break;
    case At::flushing:
    case At::ended:
      break;
  }
  return deadline_ms;
}

void HttpSession::end(CloseReason reason) {
  if (at_ == At::ended) return;
  bool had_exchange = work_ && work_->exchange;
  bool reset = cut_ || closes_by_reset(reason);
  // close_notify, unless that is out already.
  if (stream_.is_tls() && !reset && !gone_ && at_ != At::lingering) (void)stream_.shutdown_write();
  at_ = At::ended;
  if (is_refusal(reason)) frontend_.note_refused(reason);
  frontend_.cell().ended[static_cast<size_t>(reason)].add();
  WorkerContext& worker = frontend_.worker();
  if (had_exchange) {
    work_->exchange->client_gone(end_of_exchange(reason));
    worker.loop.retire(std::move(work_->exchange));
  }
  if (log::enabled(log::Level::debug)) {
    log::debug("listener {}: {} closed: {}", frontend_.config().name, peer_.to_string(),
               to_string(reason));
  }
  worker.timeouts.clear(*this);
  if (work_) work_->pipe.release(worker.relay.pipes);
  bool still_counts = false;
  if (work_ && readable_.armed()) work_->writable.disarm();
  if (reset && !stream_.is_tls() && stream_) {
    readable_.disarm();
    if (work_) work_->writable.disarm();
    if (reason == CloseReason::send_timeout || reason == CloseReason::shutting_down || gone_) {
      set_reset_on_close(stream_.fd());
    } else {
      still_counts = worker.resets.close(stream_.take_fd(), frontend_.end_of_count());
    }
  }
  // A closed descriptor needs no epoll_ctl of its own.
  stream_.close();
  readable_.disarm();
  if (work_) work_->writable.disarm();
  place_ = SourcePlace();
  frontend_.session_ended(*this, still_counts);
}

}  // namespace lb
