// SPDX-License-Identifier: MIT
#include "l7/server_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "l7/http1_writer.h"
#include "l7/http_tools.h"

namespace lb {

namespace {

iovec piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

ServerConnection::ServerConnection(HttpTools& tools, Server& server, Stream stream,
                                   const TlsClientContext* context)
    : tools_(tools),
      server_(server),
      stream_(std::move(stream)),
      context_(context),
      handshaking_(stream_.is_tls()),
      lacks_nodelay_(server.address().is_ip()) {
  EventLoop& loop = tools.worker.loop;
  readable_.bind<&ServerConnection::on_readable>(loop, stream_.fd(), IoEvent::kRead, this);
  writable_.bind<&ServerConnection::on_writable>(loop, stream_.fd(), IoEvent::kWrite, this);
  if (!handshaking_) return;
  if (lacks_nodelay_) set_nodelay(stream_.fd());  // the handshake is several writes
  lacks_nodelay_ = false;
}

void ServerConnection::set_preface(std::string bytes) {
  serves_one_ = true;
  if (stream_.is_tls()) {
    stream_.send_first(bytes);
  } else {
    preface_ = std::move(bytes);
  }
}

ServerConnection::~ServerConnection() {
  close();
}

void ServerConnection::close() {
  if (at_ == At::closed) return;
  at_ = At::closed;
  sink_ = nullptr;
  pipe_.release(tools_.worker.relay.pipes);
  tools_.worker.timeouts.clear(*this);
  // A closed descriptor needs no epoll_ctl of its own, unless both are armed (net/relay.h).
  if (readable_.armed()) writable_.disarm();
  stream_.close();
  readable_.disarm();
  writable_.disarm();
}

void ServerConnection::start(const RequestHead& head, bool keep, const BodyPart& part,
                             ResponseSink& sink) {
  sink_ = &sink;
  at_ = At::head;
  method_ = head.method;
  request_body_ = head.body;
  response_body_ = BodyKind::none;
  request_done_ = part.is_last;
  keep = keep && !serves_one_;
  is_last_ = !keep;
  has_written_ = surplus_ = is_paused_ = false;
  bytes_sent_ = bytes_received_ = 0;
  parser_.reset();
  decoder_ = ChunkDecoder();
  partial_.clear();
  sense_.set(false);
  tools_.out.clear();
  write_request(head, !keep, tools_.out);
  readable_.arm();
  bool is_chunked = head.body == BodyKind::streamed;
  std::string tail;
  if (is_chunked && !part.bytes.empty()) {
    write_chunk_start(part.bytes.size(), tools_.out);
    tail = "\r\n";
  }
  if (is_chunked && part.is_last) {
    write_last_chunk(part.trailers != nullptr ? *part.trailers : Trailers(), tail);
  }
  std::array<iovec, 4> pieces = {piece(preface_), piece(tools_.out), piece(part.bytes),
                                 piece(tail)};
  send(pieces);
  if (handshaking_) writable_.arm();  // to begin it as soon as the connect is through
}

void ServerConnection::send_body(const BodyPart& part) {
  if (at_ == At::closed) return;
  request_done_ |= part.is_last;
  if (part.piped > 0) {
    bytes_sent_ += part.piped;
    return flush();
  }
  std::string start;
  std::string tail;
  if (!is_raw_ && request_body_ == BodyKind::streamed) {
    if (!part.bytes.empty()) {
      write_chunk_start(part.bytes.size(), start);
      tail = "\r\n";
    }
    if (part.is_last) {
      write_last_chunk(part.trailers != nullptr ? *part.trailers : Trailers(), tail);
    }
  }
  std::array<iovec, 3> pieces = {piece(start), piece(part.bytes), piece(tail)};
  send(pieces);
  if (is_raw_ && part.is_last) {
    shutdown_due_ = true;
    if (backlog_.empty()) flush();
  }
}

void ServerConnection::send(std::span<iovec> pieces) {
  size_t size = 0;
  for (const iovec& one : pieces) size += one.iov_len;
  if (size == 0 || write_broken_) return;
  bytes_sent_ += size;
  if (!backlog_.empty() || handshaking_) {
    return keep_rest(pieces, 0);
  }
  if (lacks_nodelay_ && has_sent_) {  // Nagle's algorithm never holds back the first write
    set_nodelay(stream_.fd());
    lacks_nodelay_ = false;
  }
  has_sent_ = true;
  Transfer sent = stream_.writev(pieces);
  if (sent.outcome == Transfer::Outcome::failed) return write_failed();
  if (sent.bytes > 0) {
    has_written_ = true;
    note_through();
  }
  if (sent.bytes == size) return;
  keep_rest(pieces, sent.bytes);
  writable_.arm();
}

void ServerConnection::keep_rest(std::span<const iovec> pieces, size_t written) {
  for (const iovec& one : pieces) {
    if (written >= one.iov_len) {
      written -= one.iov_len;
      continue;
    }
    backlog_.append(static_cast<const char*>(one.iov_base) + written, one.iov_len - written);
    written = 0;
  }
}

void ServerConnection::flush() {
  while (!backlog_.empty()) {
    Transfer sent = stream_.write(backlog_);
    if (sent.outcome == Transfer::Outcome::failed) return write_failed();
    if (sent.outcome != Transfer::Outcome::done) return writable_.arm();
    has_written_ = true;
    note_through();
    backlog_.erase(0, sent.bytes);
  }
  backlog_.shrink_to_fit();
  if (pipe_.has_kept()) {
    Transfer sent = pipe_.write_to(stream_);
    if (sent.outcome == Transfer::Outcome::failed) return write_failed();
    if (pipe_.has_kept()) return writable_.arm();
  }
  writable_.disarm();
  if (shutdown_due_ && !write_broken_) {
    shutdown_due_ = false;
    if (stream_.shutdown_write().outcome == Transfer::Outcome::failed) write_failed();
  }
}

// A connect that failed tells by the first write. A server that takes no more may still have
// answered, which reading will show.
void ServerConnection::write_failed() {
  write_broken_ = true;
  backlog_.clear();
  pipe_.release(tools_.worker.relay.pipes);
  writable_.disarm();
  if (!is_through_ && !is_reset(stream_.error())) {
    failed_connect_ = stream_.error() != 0 ? stream_.error() : ECONNABORTED;
  }
}

void ServerConnection::note_through() {
  if (is_through_) return;
  is_through_ = true;
  server_.cell(tools_.worker.index).connections.fetch_add(1, std::memory_order_relaxed);
}

bool ServerConnection::is_through(bool ask) {
  if (is_through_ || handshaking_ || !ask) return is_through_;
  return connect_state(stream_.fd()) == 0;
}

// Whether the handshake is complete; what was kept is sent then.
bool ServerConnection::shake_hands() {
  WorkerContext& worker = tools_.worker;
  Transfer step{};
  if (!worker.handshakes.run(worker.loop, [&] { step = stream_.handshake(); })) return false;
  switch (step.outcome) {
    case Transfer::Outcome::done:
      handshaking_ = false;
      writable_.disarm();
      flush();
      readable_.set_again(stream_.has_pending());
      return true;
    case Transfer::Outcome::wants_write:
      writable_.arm();
      return false;
    case Transfer::Outcome::wants_read:
      writable_.disarm();
      return false;
    default:
      failed_connect_ = stream_.error();
      if (failed_connect_ == 0) {
        worker.note_tls_failure(server_, stream_.reason());
        failed_connect_ = EPROTO;
      }
      return false;
  }
}

void ServerConnection::set_keepalive(const Keepalive& keepalive) {
  if (server_.address().is_ip()) lb::set_keepalive(stream_.fd(), keepalive);
}

void ServerConnection::pause() {
  is_paused_ = true;
  readable_.disarm();
}

void ServerConnection::resume() {
  if (!is_paused_ || at_ == At::closed) return;
  is_paused_ = false;
  readable_.arm();
  readable_.set_again(stream_.has_pending());
}

Pipe* ServerConnection::body_pipe() {
  bool fits = is_raw_ || request_body_ == BodyKind::length;
  if (!fits || stream_.is_tls() || is_blocked() || write_broken_ || at_ == At::closed)
    return nullptr;
  return pipe_.get(tools_.worker.relay.pipes);
}

bool ServerConnection::is_silent() const {
  char byte = 0;
  return recv(stream_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void ServerConnection::on_writable() {
  if (std::exchange(read_wants_write_, false) && !is_paused_) {
    readable_.arm();
    readable_.set_again(true);
  }
  if (!handshaking_) {
    flush();
  } else if (!shake_hands() && failed_connect_ == 0) {
    return;
  }
  if (failed_connect_ != 0) return fail(ServerFailure::connect, failed_connect_);
  if (is_blocked()) return;
  writable_.disarm();
  if (sink_ != nullptr) sink_->on_server_drained();
}

bool ServerConnection::is_reusable() const {
  return at_ == At::done && request_done_ && !is_last_ && !surplus_ && !is_raw_ && !write_broken_ &&
         !is_blocked() && !stream_.has_pending();
}

void ServerConnection::park(int64_t keep_alive_ms) {
  at_ = At::idle;
  sink_ = nullptr;
  pipe_.release(tools_.worker.relay.pipes);
  is_reused_ = true;
  readable_.arm();
  idle_since_ms_ = tools_.worker.loop.now_ms();
  keep_alive_ms_ = keep_alive_ms;
  if (keep_alive_ms > 0) {
    tools_.worker.timeouts.set_at_most(*this, idle_since_ms_ + keep_alive_ms);
  }
}

void ServerConnection::on_timeout() {
  if (at_ != At::idle || keep_alive_ms_ == 0) return;  // set again when it is parked
  int64_t due_ms = idle_since_ms_ + keep_alive_ms_;
  if (tools_.worker.loop.now_ms() >= due_ms) return tools_.servers.drop(*this);
  tools_.worker.timeouts.set(*this, due_ms);
}

}  // namespace lb
