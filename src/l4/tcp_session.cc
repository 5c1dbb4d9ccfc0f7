// SPDX-License-Identifier: MIT
#include "l4/tcp_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/log.h"
#include "l4/tcp_frontend.h"
#include "net/socket.h"
#include "pool/outlier.h"
#include "pool/source_key.h"

namespace lb {

namespace {

constexpr int64_t kNever = INT64_MAX;

// To a figure of this worker's own: nobody else writes it.
void add(std::atomic<uint64_t>& figure, uint64_t more) {
  figure.store(figure.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

TcpSession::TcpSession(TcpFrontend& frontend, Fd client, const Address& peer)
    : frontend_(frontend), peer_(peer), started_ms_(frontend.worker().loop.now_ms()) {
  active_ms_ = started_ms_;
  client_.fd = std::move(client);
}

TcpSession::~TcpSession() = default;

void TcpSession::on_client_readable() {
  if (state_ == State::opening) return go_on_opening();
  if (state_ == State::waiting) return read_while_waiting();
  active_ms_ = frontend_.worker().loop.now_ms();
  note_request();
  auto outcome = to_server_.read(client_, server_, frontend_.worker().relay);
  if (state_ == State::connecting) {
    if (connect_shown_failed(outcome, to_server_)) return connect_failed(to_server_.error());
    if (to_server_.wrote() || outcome == Relay::Outcome::write_error) connected();
  }
  handle(outcome, Direction::to_server);
}

void TcpSession::on_server_readable() {
  active_ms_ = frontend_.worker().loop.now_ms();
  if (shakes_hands()) return shake_hands();
  auto outcome = to_client_.read(server_, client_, frontend_.worker().relay);
  if (state_ == State::connecting) {
    if (connect_shown_failed(outcome, to_client_)) return connect_failed(to_client_.error());
    if (outcome == Relay::Outcome::open && !to_client_.wrote() && !to_client_.has_kept()) return;
    connected();
  }
  if (!first_byte_seen_) note_first_byte();
  handle(outcome, Direction::to_client);
}

void TcpSession::on_server_writable() {
  active_ms_ = frontend_.worker().loop.now_ms();
  if (shakes_hands()) return shake_hands();
  server_.note_writable();
  note_request();
  auto outcome = to_server_.flush(client_, server_, frontend_.worker().relay);
  if (state_ == State::connecting) {
    if (connect_shown_failed(outcome, to_server_)) return connect_failed(to_server_.error());
    if (to_server_.wrote() || outcome == Relay::Outcome::write_error) {
      connected();
    } else if (!to_server_.has_kept()) {
      check_connect();
      if (state_ == State::connecting) server_.writable.arm();  // flush() took it for sent
    }
    if (state_ != State::relaying) return;
  }
  handle(outcome, Direction::to_server);
}

void TcpSession::on_client_writable() {
  if (state_ == State::opening) return go_on_opening();
  active_ms_ = frontend_.worker().loop.now_ms();
  client_.note_writable();
  if (!server_.fd) return client_.writable.disarm();
  client_stalled_ms_ = 0;  // it took something
  handle(to_client_.flush(server_, client_, frontend_.worker().relay), Direction::to_client);
}

// While the connection goes on, so that long ones are not counted years late.
void TcpSession::count_bytes() {
  Server* server = lease_.server();
  if (server == nullptr) return;
  ServerCell& cell = server->cell(frontend_.worker().index);
  if (uint64_t in = to_server_.bytes() - counted_in_; in > 0) {
    counted_in_ += in;
    frontend_.cell().bytes_in.add(in);
    add(cell.bytes_in, in);
  }
  if (uint64_t out = to_client_.bytes() - counted_out_; out > 0) {
    counted_out_ += out;
    frontend_.cell().bytes_out.add(out);
    add(cell.bytes_out, out);
  }
}

void TcpSession::handle(Relay::Outcome outcome, Direction direction) {
  count_bytes();
  switch (outcome) {
    case Relay::Outcome::open:
      if (direction == Direction::to_client) note_client_progress();
      return;
    case Relay::Outcome::finished:
      return finish(direction);
    case Relay::Outcome::read_error:
      return end(direction == Direction::to_server ? CloseReason::client_reset
                                                   : CloseReason::server_reset);
    case Relay::Outcome::write_error:
      return broken_write(direction);
  }
}

// One side has ended its stream and all of it is delivered.
void TcpSession::finish(Direction direction) {
  if (to_server_broken_ || to_client_broken_) return end(reset_reason());
  Endpoint& done = direction == Direction::to_server ? client_ : server_;
  Endpoint& other = direction == Direction::to_server ? server_ : client_;
  // Without shutdown(2): with unread data left it would make the kernel send a reset.
  bool is_last = to_server_.finished() && to_client_.finished();
  if (other.tls && state_ == State::relaying && !other.shut_write(is_last)) {
    done.readable.disarm();
    return other.writable.arm();  // and again
  }
  if (is_last) return end(CloseReason::finished);
  if (direction == Direction::to_server && state_ == State::connecting) {
    client_.readable.disarm();
    server_.writable.arm();  // shutdown(2) would abort a connect that is under way
    return;
  }
  done.readable.disarm();
  if (!other.tls) shutdown(other.fd.get(), SHUT_WR);
  lower_deadline();
}

// One side takes nothing any more, but what it sent before is still to be delivered.
void TcpSession::broken_write(Direction direction) {
  bool to_server = direction == Direction::to_server;
  (to_server ? to_server_broken_ : to_client_broken_) = true;
  const Relay& other = to_server ? to_client_ : to_server_;
  if (other.finished() || (to_server_broken_ && to_client_broken_)) return end(reset_reason());
  (to_server ? client_ : server_).readable.disarm();
  (to_server ? server_ : client_).writable.disarm();
}

CloseReason TcpSession::reset_reason() const {
  return to_server_broken_ ? CloseReason::server_reset : CloseReason::client_reset;
}

// The response time counts from the request, not from a connect long before it.
void TcpSession::note_request() {
  if (state_ == State::relaying && !to_server_.wrote()) {
    timing_us_ = frontend_.worker().loop.now_us();
  }
}

void TcpSession::note_first_byte() {
  if (!to_client_.wrote() && !to_client_.has_kept()) return;
  first_byte_seen_ = true;
  answered_ms_ = age_ms();
  count_success(*lease_.server());
  WorkerContext& worker = frontend_.worker();
  int64_t now_us = worker.loop.now_us();
  int64_t sample_us = connect_took_us_ + (now_us - timing_us_);
  auto us = static_cast<uint32_t>(std::min<int64_t>(sample_us, UINT32_MAX));
  frontend_.cell().first_byte.record(us);
  lease_.server()->cell(worker.index).note_response(us);
  // All workers share this one, so only who decides by it pays for it.
  if (pool().config().balance == Balance::least_response_time) {
    lease_.server()->latency.record(us, now_us / 1000);
  }
}

// A server that never said anything: a reset is a failure, an end in order is what mute servers do.
void TcpSession::note_mute_end(Server& server, CloseReason reason) {
  if (reason == CloseReason::server_reset) {
    count_failure(server, pool().config(), frontend_.worker());
  } else if (reason == CloseReason::finished) {
    count_success(server);
  }
}

void TcpSession::note_client_progress() {
  if (!to_client_.has_kept()) {
    client_stalled_ms_ = 0;
  } else if (client_stalled_ms_ == 0) {
    client_stalled_ms_ = active_ms_;
    lower_deadline();
  }
}

void TcpSession::on_timeout() {
  switch (state_) {
    case State::opening:
      return check_deadlines();
    case State::pausing:
      return follow(connector_.next(pool(), frontend_.worker(), key()));
    case State::waiting:
      return look_while_waiting();
    case State::connecting:
      return check_late_connect();
    case State::relaying:
      if (!settled_) settle();
      return check_deadlines();
    case State::ended:
      return;
  }
}

void TcpSession::check_deadlines() {
  const ListenerTimeouts& limits = frontend_.config().timeouts;
  int64_t now_ms = frontend_.worker().loop.now_ms();
  auto over = [now_ms](int64_t since_ms, milliseconds limit) {
    return limit.count() > 0 && now_ms >= since_ms + limit.count();
  };
  if (client_stalled_ms_ != 0 && over(client_stalled_ms_, limits.send)) {
    return end(CloseReason::send_timeout);
  }
  if (state_ == State::opening && over(started_ms_, limits.tls_handshake)) {
    return end(CloseReason::header_timeout);
  }
  bool half_closed = to_server_.end_seen() != to_client_.end_seen();
  if (half_closed && over(active_ms_, limits.half_close)) {
    return end(CloseReason::half_close_timeout);
  }
  if (over(active_ms_, limits.idle)) return end(CloseReason::idle_timeout);
  int64_t deadline_ms = next_deadline_ms();
  if (deadline_ms != kNever) frontend_.worker().timeouts.set(*this, deadline_ms);
}

void TcpSession::timeouts_changed() {
  if (state_ == State::relaying || state_ == State::opening) lower_deadline();
}

void TcpSession::lower_deadline() {
  int64_t deadline_ms = next_deadline_ms();
  if (deadline_ms != kNever) frontend_.worker().timeouts.set_at_most(*this, deadline_ms);
}

int64_t TcpSession::next_deadline_ms() const {
  const ListenerTimeouts& limits = frontend_.config().timeouts;
  int64_t deadline_ms = kNever;
  auto consider = [&deadline_ms](int64_t since_ms, milliseconds limit) {
    if (limit.count() > 0) deadline_ms = std::min(deadline_ms, since_ms + limit.count());
  };
  consider(active_ms_, limits.idle);
  if (state_ == State::opening) consider(started_ms_, limits.tls_handshake);
  if (to_server_.end_seen() != to_client_.end_seen()) consider(active_ms_, limits.half_close);
  if (client_stalled_ms_ != 0) consider(client_stalled_ms_, limits.send);
  return deadline_ms;
}

// What only long connections need is set once they have proved to be long.
void TcpSession::settle() {
  settled_ = true;
  const auto& keepalive = frontend_.keepalive();
  if (keepalive && lease_.server()->address().is_ip()) set_keepalive(server_.fd.get(), *keepalive);
}

const Pool& TcpSession::pool() const {
  return route_.empty() ? frontend_.pool() : frontend_.pool_of_route(route_);
}

WorkKey TcpSession::key() const {
  const auto& sticky = pool().config().sticky;
  if (sticky && sticky->by == StickyBy::source_ip) {
    return WorkKey(StickyKey{source_ip_key(peer_)});
  }
  if (!pool().needs_key()) return 0;
  const PoolConfig& rules = pool().config();
  HashOn hash_on = rules.balance == Balance::hash ? rules.hash_on : HashOn::source_ip;
  if (hash_on == HashOn::sni && name_key_ != 0) return name_key_;
  return hash_on == HashOn::source_ip_port ? source_ip_port_key(peer_) : source_ip_key(peer_);
}

void TcpSession::leave_server(CloseReason reason) {
  const Server* left = server();
  if (state_ == State::connecting) {
    check_connect();
    if (server() != left || state_ == State::ended) return;
    if (state_ == State::connecting) return connect_failed(ECONNABORTED);
  }
  end(reason);
}

void TcpSession::end(CloseReason reason) {
  if (state_ == State::ended) return;
  if (log::enabled(log::Level::debug)) log::debug("{}", describe(reason));
  if (is_refusal(reason)) frontend_.note_refused(reason);
  if (frontend_.access_log() != nullptr) write_access_log(reason);
  WorkerContext& worker = frontend_.worker();
  bool reset = closes_by_reset(reason) || to_client_.has_kept() || to_server_.has_kept();
  if (!reset && reason != CloseReason::finished) {
    for (Endpoint* end : {&client_, &server_}) {
      if (end->tls && end->tls->handshake_done()) end->tls->shutdown_write();
    }
  }
  state_ = State::ended;
  to_server_.release(worker.relay);
  to_client_.release(worker.relay);
  bool still_counts = reset && close_by_reset(reason);
  client_.close();
  server_.close();
  worker.timeouts.clear(*this);
  connector_.stop();
  if (Server* server = lease_.server()) {
    pool().note_use(key(), worker.loop.now_ms());
    if (!first_byte_seen_) note_mute_end(*server, reason);
    count_bytes();
  }
  ListenerCell& cell = frontend_.cell();
  cell.ended[static_cast<size_t>(reason)].add();
  cell.duration.record(static_cast<uint64_t>(worker.loop.now_ms() - started_ms_) * 1000);
  lease_.reset();
  place_ = SourcePlace();
  frontend_.session_ended(*this, still_counts);
}

// True while what one end was sent is still on its way and the connection counts until it is there.
bool TcpSession::close_by_reset(CloseReason reason) {
  bool still_counts = false;
  for (Endpoint* end : {&client_, &server_}) {
    if (!end->fd) continue;
    // Who takes nothing is not waited for.
    if (reason == CloseReason::send_timeout || reason == CloseReason::shutting_down) {
      set_reset_on_close(end->fd.get());
      continue;
    }
    end->readable.disarm();
    end->writable.disarm();
    std::function<void()> closed;
    if (!still_counts) closed = frontend_.end_of_count();
    still_counts |= frontend_.worker().resets.close(std::move(end->fd), std::move(closed));
  }
  return still_counts;
}

std::string TcpSession::describe(CloseReason reason) const {
  const Server* server = lease_.server();
  const std::string& pool = route_.empty() ? frontend_.config().pool : route_;
  std::string line = fmt::format(
      "listener {}: {} -> {}/{} closed: {}; {} bytes in, {} out, {} ms", frontend_.config().name,
      peer_.to_string(), server ? server->pool() : pool, server ? server->name() : "-",
      to_string(reason), to_server_.bytes(), to_client_.bytes(), age_ms());
  if (client_.tls && !client_.tls->reason().empty()) {
    line += "; TLS with the client: " + client_.tls->reason();
  }
  if (server_.tls && !server_.tls->reason().empty()) {
    line += "; TLS with the server: " + server_.tls->reason();
  }
  return line;
}

int32_t TcpSession::age_ms() const {
  return static_cast<int32_t>(
      std::min<int64_t>(frontend_.worker().loop.now_ms() - started_ms_, INT32_MAX));
}

void TcpSession::write_access_log(CloseReason reason) const {
  auto us = [](int64_t ms) { return ms < 0 ? AccessRecord::kNever : ms * 1000; };
  AccessRecord record{peer_, to_string(reason)};
  record.pool = route_.empty() ? frontend_.config().pool : route_;
  if (const Server* server = lease_.server()) {
    record.pool = server->pool();
    record.server = server->name();
  }
  record.retries = connector_.retries();
  record.bytes_in = to_server_.bytes();
  record.bytes_out = to_client_.bytes();
  record.queued_us = us(queued_ms_);
  record.connected_us = us(connected_ms_);
  record.answered_us = us(answered_ms_);
  record.took_us = (frontend_.worker().loop.now_ms() - started_ms_) * 1000;
  if (client_.tls && client_.tls->handshake_done()) {
    record.tls = client_.tls->version();
    record.sni = client_.tls->server_name();
  }
  frontend_.access_log()->write(frontend_.worker().index, record);
}

}  // namespace lb
