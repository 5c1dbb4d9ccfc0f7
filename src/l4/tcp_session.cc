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
// What a client may say before there is a server: the least that a Relay keeps anyway.
constexpr size_t kMostKeptWaiting = RelayTools::kScratchSize;

// Errors of a connection that once stood: those of a connect that never came through are others
// (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ...).
bool is_reset(int error) {
  return error == ECONNRESET || error == EPIPE;
}

}  // namespace

TcpSession::TcpSession(TcpFrontend& frontend, Fd client, const Address& peer)
    : frontend_(frontend), peer_(peer), started_ms_(frontend.worker().loop.now_ms()) {
  active_ms_ = started_ms_;
  client_.fd = std::move(client);
}

TcpSession::~TcpSession() = default;

void TcpSession::start() {
  EventLoop& loop = frontend_.worker().loop;
  int fd = client_.fd.get();
  client_.readable.bind<&TcpSession::on_client_readable>(loop, fd, IoEvent::kRead, this);
  client_.writable.bind<&TcpSession::on_client_writable>(loop, fd, IoEvent::kWrite, this);
  if (frontend_.header_follows(peer_)) {
    partial_header_ = std::make_unique<std::string>();
    client_.readable.arm();
    return lower_deadline();
  }
  std::string_view sent = read_ahead();
  if (state_ != State::ended) begin({}, sent);
}

// What the client has sent already, where clients of this listener usually speak first.
std::string_view TcpSession::read_ahead() {
  if (!frontend_.client_first().try_now()) return {};
  char* scratch = frontend_.worker().relay.scratch.get();
  ssize_t got = recv(client_.fd.get(), scratch, RelayTools::kScratchSize, 0);
  frontend_.client_first().note(got > 0);
  // The kernel tells of a reset once, and of an end in order afterwards.
  if (got < 0 && errno != EAGAIN && errno != EINTR) end(CloseReason::client_gone);
  if (got <= 0) return {};  // an end comes again when the client's turn is
  return {scratch, static_cast<size_t>(got)};
}

void TcpSession::read_proxy_header() {
  RelayTools& tools = frontend_.worker().relay;
  char* scratch = tools.scratch.get();
  ssize_t got = recv(client_.fd.get(), scratch, RelayTools::kScratchSize, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end(CloseReason::client_gone);
  active_ms_ = frontend_.worker().loop.now_ms();
  partial_header_->append(scratch, static_cast<size_t>(got));
  ProxyParse parsed = parse_proxy_header(*partial_header_);
  if (parsed.state == ProxyParse::State::incomplete) return;
  if (parsed.state == ProxyParse::State::invalid) return end(CloseReason::bad_proxy_header);
  if (!parsed.header.source.empty()) peer_ = parsed.header.source;
  if (!frontend_.admits(peer_)) return end(CloseReason::denied);
  auto bytes = std::move(partial_header_);
  begin(parsed.header, std::string_view(*bytes).substr(parsed.length));
}

// `header` is what a balancer before us said, `rest` what followed it.
void TcpSession::begin(const ProxyHeader& header, std::string_view rest) {
  client_.readable.disarm();  // until there is a server to send to
  SendProxyProtocol version = frontend_.pool().config().send_proxy_protocol;
  if (version != SendProxyProtocol::off) {
    Address destination =
        header.source.empty() ? local_address(client_.fd.get()) : header.destination;
    to_server_.push(version == SendProxyProtocol::v1 ? proxy_header_v1(peer_, destination)
                                                     : proxy_header_v2(peer_, destination),
                    false);
  }
  to_server_.push(rest, true);
  if (to_server_.has_kept()) connector_.set_data_follows();
  follow(connector_.next(frontend_.pool(), frontend_.worker(), key_hash()));
}

void TcpSession::follow(Connector::Step step) {
  switch (step) {
    case Connector::Step::connecting:
      return begin_connect();
    case Connector::Step::pause:
      state_ = State::pausing;
      frontend_.worker().timeouts.set(*this,
                                      frontend_.worker().loop.now_ms() + connector_.pause_ms());
      return;
    case Connector::Step::waiting:
      return begin_waiting();
    case Connector::Step::full:
      return end(CloseReason::servers_full);
    case Connector::Step::no_socket:
      return end(CloseReason::no_descriptors);
    case Connector::Step::no_server:
      return end(connector_.last_error() == 0 ? CloseReason::no_server
                                              : CloseReason::connect_failed);
  }
}

// What the client says meanwhile is kept, up to a bound: reading is how one learns that it is gone.
void TcpSession::begin_waiting() {
  state_ = State::waiting;
  frontend_.worker().timeouts.set(*this, connector_.look_ms());
  if (!to_server_.end_seen() && to_server_.kept() < kMostKeptWaiting) client_.readable.arm();
}

void TcpSession::look_while_waiting() {
  auto step = connector_.look(frontend_.pool(), frontend_.worker(), key_hash());
  if (step != Connector::Step::waiting) return follow(step);
  frontend_.worker().timeouts.set(*this, connector_.look_ms());
}

void TcpSession::on_turn() {
  if (state_ != State::waiting) return;
  active_ms_ = frontend_.worker().loop.now_ms();  // to wait is not to be idle
  follow(connector_.next(frontend_.pool(), frontend_.worker(), key_hash()));
}

void TcpSession::read_while_waiting() {
  char* scratch = frontend_.worker().relay.scratch.get();
  ssize_t got = recv(client_.fd.get(), scratch, kMostKeptWaiting - to_server_.kept(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end(CloseReason::client_gone);
  active_ms_ = frontend_.worker().loop.now_ms();
  to_server_.push({scratch, static_cast<size_t>(got)}, true);
  connector_.set_data_follows();
  if (to_server_.kept() >= kMostKeptWaiting) client_.readable.disarm();
}

void TcpSession::begin_connect() {
  WorkerContext& worker = frontend_.worker();
  state_ = State::connecting;
  server_.fd = connector_.take_fd();
  lease_ = connector_.take_lease();
  server_.lacks_nodelay = lease_.server()->address().is_ip();
  int fd = server_.fd.get();
  server_.readable.bind<&TcpSession::on_server_readable>(worker.loop, fd, IoEvent::kRead, this);
  server_.writable.bind<&TcpSession::on_server_writable>(worker.loop, fd, IoEvent::kWrite, this);
  server_.readable.arm();
  connect_until_ms_ = worker.loop.now_ms() + frontend_.pool().config().connect_timeout.count();
  // Nothing may tell that the connect is through before the connection has been idle for too long.
  worker.timeouts.set(*this, std::min(connect_until_ms_, next_deadline_ms()));
  if (frontend_.pool().config().balance == Balance::least_response_time) {
    timing_us_ = worker.loop.now_us();
    server_.writable.arm();  // tells when exactly the connect came through
  }
  if (connector_.is_in_line()) server_.writable.arm();  // others go by it
  if (to_server_.has_kept() || to_server_.end_seen()) {
    on_server_writable();
  } else {
    client_.readable.arm();
  }
}

void TcpSession::connect_failed(int error) {
  server_.close();
  client_.readable.disarm();
  follow(connector_.failed(error, std::move(lease_), frontend_.pool(), frontend_.worker(),
                           key_hash()));
}

void TcpSession::connected() {
  WorkerContext& worker = frontend_.worker();
  state_ = State::relaying;
  connector_.connected();
  lease_.server()->cell(worker.index).connections.fetch_add(1, std::memory_order_relaxed);
  if (timing_us_ != 0) {
    int64_t now_us = worker.loop.now_us();
    connect_took_us_ = static_cast<uint32_t>(now_us - timing_us_);
    timing_us_ = now_us;
  }
  // The connect deadline stays and becomes the moment to settle in, so that a short connection
  // never touches its deadline again.
  if (const auto& keepalive = frontend_.keepalive()) {
    worker.timeouts.set_at_most(*this, active_ms_ + 500 * int64_t{keepalive->idle_s});
  }
  lower_deadline();
}

// Whether the outcome of the first use of the server's socket says that the connect failed.
bool TcpSession::connect_shown_failed(Relay::Outcome outcome, const Relay& relay) const {
  bool server_failed =
      outcome == (&relay == &to_server_ ? Relay::Outcome::write_error : Relay::Outcome::read_error);
  return server_failed && !is_reset(relay.error());
}

// Asks the kernel, where no byte has told yet.
void TcpSession::check_connect() {
  int error = connect_state(server_.fd.get());
  if (error == 0) return connected();
  if (error != EINPROGRESS) connect_failed(error);
}

void TcpSession::check_late_connect() {
  check_connect();
  if (state_ != State::connecting || deadline_ms() != 0) return;  // through, or at another server
  WorkerContext& worker = frontend_.worker();
  if (worker.loop.now_ms() >= connect_until_ms_) return connect_failed(ETIMEDOUT);
  worker.timeouts.set(*this, connect_until_ms_);
}

void TcpSession::on_client_readable() {
  if (state_ == State::reading_header) return read_proxy_header();
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
  active_ms_ = frontend_.worker().loop.now_ms();
  client_stalled_ms_ = 0;  // it took something
  handle(to_client_.flush(server_, client_, frontend_.worker().relay), Direction::to_client);
}

void TcpSession::handle(Relay::Outcome outcome, Direction direction) {
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
  // Without shutdown(2): with unread data left it would make the kernel send a reset.
  if (to_server_.finished() && to_client_.finished()) return end(CloseReason::finished);
  if (direction == Direction::to_server && state_ == State::connecting) {
    client_.readable.disarm();
    server_.writable.arm();  // shutdown(2) would abort a connect that is under way
    return;
  }
  Endpoint& done = direction == Direction::to_server ? client_ : server_;
  Endpoint& other = direction == Direction::to_server ? server_ : client_;
  done.readable.disarm();
  shutdown(other.fd.get(), SHUT_WR);
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
  if (timing_us_ != 0 && state_ == State::relaying && !to_server_.wrote()) {
    timing_us_ = frontend_.worker().loop.now_us();
  }
}

void TcpSession::note_first_byte() {
  if (!to_client_.wrote() && !to_client_.has_kept()) return;
  first_byte_seen_ = true;
  count_success(*lease_.server());
  if (timing_us_ == 0) return;
  int64_t now_us = frontend_.worker().loop.now_us();
  int64_t sample_us = connect_took_us_ + (now_us - timing_us_);
  lease_.server()->latency.record(static_cast<uint32_t>(std::min<int64_t>(sample_us, UINT32_MAX)),
                                  now_us / 1000);
}

// A server that never said anything: a reset is a failure, an end in order is what mute servers do.
void TcpSession::note_mute_end(Server& server, CloseReason reason) {
  if (reason == CloseReason::server_reset) {
    count_failure(server, frontend_.pool().config(), frontend_.worker());
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
    case State::reading_header:
      return check_deadlines();
    case State::pausing:
      return follow(connector_.next(frontend_.pool(), frontend_.worker(), key_hash()));
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
  if (state_ == State::reading_header && over(started_ms_, limits.tls_handshake)) {
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
  if (state_ == State::relaying || state_ == State::reading_header) lower_deadline();
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
  if (state_ == State::reading_header) consider(started_ms_, limits.tls_handshake);
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

uint64_t TcpSession::key_hash() const {
  const Pool& pool = frontend_.pool();
  if (!pool.needs_key()) return 0;
  bool with_port =
      pool.config().balance == Balance::hash && pool.config().hash_on == HashOn::source_ip_port;
  return with_port ? source_ip_port_key(peer_) : source_ip_key(peer_);
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
  WorkerContext& worker = frontend_.worker();
  bool reset = closes_by_reset(reason) || to_client_.has_kept() || to_server_.has_kept();
  state_ = State::ended;
  to_server_.release(worker.relay);
  to_client_.release(worker.relay);
  bool still_counts = reset && close_by_reset(reason);
  client_.close();
  server_.close();
  worker.timeouts.clear(*this);
  connector_.stop();
  if (Server* server = lease_.server()) {
    if (!first_byte_seen_) note_mute_end(*server, reason);
    ServerCell& cell = server->cell(worker.index);
    cell.bytes_in.fetch_add(to_server_.bytes(), std::memory_order_relaxed);
    cell.bytes_out.fetch_add(to_client_.bytes(), std::memory_order_relaxed);
  }
  lease_.reset();
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
  int64_t age_ms = frontend_.worker().loop.now_ms() - started_ms_;
  return fmt::format("listener {}: {} -> {}/{} closed: {}; {} bytes in, {} out, {} ms",
                     frontend_.config().name, peer_.to_string(),
                     server ? server->pool() : frontend_.config().pool,
                     server ? server->name() : "-", to_string(reason), to_server_.bytes(),
                     to_client_.bytes(), age_ms);
}

}  // namespace lb
