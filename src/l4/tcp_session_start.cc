// SPDX-License-Identifier: MIT
// How a TcpSession comes from its client to a server; what follows is in tcp_session.cc.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "l4/tcp_frontend.h"
#include "l4/tcp_session.h"
#include "net/socket.h"
#include "pool/source_key.h"

namespace lb {

namespace {

// What a client may say before there is a server: the least that a Relay keeps anyway.
constexpr size_t kMostKeptWaiting = RelayTools::kScratchSize;

// Errors of a connection that once stood: those of a connect that never came through are others
// (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ...).
bool is_reset(int error) {
  return error == ECONNRESET || error == EPIPE;
}

}  // namespace

void TcpSession::start() {
  EventLoop& loop = frontend_.worker().loop;
  int fd = client_.fd.get();
  client_.readable.bind<&TcpSession::on_client_readable>(loop, fd, IoEvent::kRead, this);
  client_.writable.bind<&TcpSession::on_client_writable>(loop, fd, IoEvent::kWrite, this);
  if (!frontend_.header_follows(peer_)) {
    auto place = frontend_.place_of(peer_);
    if (!place) return end(CloseReason::source_full);
    place_ = std::move(*place);
  }
  if (TcpOpening::is_needed(frontend_, peer_)) {
    opening_ = std::make_unique<TcpOpening>(frontend_, peer_, place_);
    lower_deadline();
    bool at_once = frontend_.client_first().try_now();
    client_.readable.arm();
    if (at_once) go_on_opening();
    return;
  }
  std::string_view sent = read_ahead();
  if (state_ != State::ended) begin({}, sent, {});
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

void TcpSession::go_on_opening() {
  active_ms_ = frontend_.worker().loop.now_ms();
  bool is_first = !opening_->is_begun();
  auto step = opening_->advance(client_);
  if (is_first) frontend_.client_first().note(opening_->is_begun());
  if (step == TcpOpening::Step::done) return opened();
  if (step == TcpOpening::Step::failed) end(opening_->reason());
}

// The client's bytes begin.
void TcpSession::opened() {
  auto opening = std::move(opening_);
  peer_ = opening->peer();
  if (!client_.tls) {
    return begin(opening->header(), opening->rest(), opening->server_name());
  }
  char* scratch = frontend_.worker().relay.scratch.get();
  ssize_t got = client_.tls->has_pending() ? client_.receive(scratch, RelayTools::kScratchSize) : 0;
  // An end or an error is told again when the client's turn is.
  begin(opening->header(), {scratch, got > 0 ? static_cast<size_t>(got) : 0},
        opening->server_name());
}

// `header` is what a balancer before us said, `rest` what followed it.
void TcpSession::begin(const ProxyHeader& header, std::string_view rest,
                       const std::string& server_name) {
  if (frontend_.is_routed()) {
    const std::string* pool = frontend_.route(server_name, peer_);
    if (pool == nullptr) return end(CloseReason::no_route);
    route_ = *pool;
  }
  if (!server_name.empty()) name_key_ = server_name_key(server_name);
  SendProxyProtocol version = pool().config().send_proxy_protocol;
  if (version != SendProxyProtocol::off) {
    Address destination =
        header.source.empty() ? local_address(client_.fd.get()) : header.destination;
    std::string own = version == SendProxyProtocol::v1 ? proxy_header_v1(peer_, destination)
                                                       : proxy_header_v2(peer_, destination);
    if (pool().speaks_tls()) {
      header_before_tls_ = std::make_unique<std::string>(std::move(own));
    } else {
      to_server_.push(own, false);
    }
  }
  to_server_.push(rest, true);
  if (to_server_.has_kept()) connector_.set_data_follows();
  follow(connector_.next(pool(), frontend_.worker(), key()));
}

void TcpSession::follow(Connector::Step step) {
  // Armed already, it stays so over a connect that begins at once: two calls less.
  if (step != Connector::Step::connecting) client_.readable.disarm();
  switch (step) {
    case Connector::Step::leased:
      return follow(connector_.connect(pool(), frontend_.worker(), key()));
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
  if (!to_server_.end_seen() && to_server_.kept() < kMostKeptWaiting) client_.await_bytes();
}

void TcpSession::look_while_waiting() {
  auto step = connector_.look(pool(), frontend_.worker(), key());
  if (step != Connector::Step::waiting) return follow(step);
  frontend_.worker().timeouts.set(*this, connector_.look_ms());
}

void TcpSession::on_turn() {
  if (state_ != State::waiting) return;
  active_ms_ = frontend_.worker().loop.now_ms();  // to wait is not to be idle
  follow(connector_.next(pool(), frontend_.worker(), key()));
}

void TcpSession::read_while_waiting() {
  char* scratch = frontend_.worker().relay.scratch.get();
  ssize_t got = client_.receive(scratch, kMostKeptWaiting - to_server_.kept());
  bool is_blocked = got < 0 && (errno == EAGAIN || errno == EINTR);
  if (got <= 0 && !is_blocked) return end(CloseReason::client_gone);
  if (client_.tls) client_.readable.set_again(client_.tls->has_pending());
  if (is_blocked) return;
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
  queued_ms_ = age_ms();
  connect_until_ms_ = worker.loop.now_ms() + pool().config().connect_timeout.count();
  // Nothing may tell that the connect is through before the connection has been idle for too long.
  worker.timeouts.set(*this, std::min(connect_until_ms_, next_deadline_ms()));
  timing_us_ = worker.loop.now_us();
  if (pool().config().balance == Balance::least_response_time) {
    server_.writable.arm();  // tells when exactly the connect came through
  }
  server_.tls = pool().open_tls(fd, *lease_.server());
  if (server_.tls) {
    if (server_.lacks_nodelay) set_nodelay(fd);  // the handshake is several writes
    server_.lacks_nodelay = false;
    if (header_before_tls_) server_.tls->send_first(*header_before_tls_);
    client_.readable.disarm();  // until that is through
    server_.writable.arm();
    return;
  }
  if (connector_.is_in_line()) server_.writable.arm();  // others go by it
  if (to_server_.has_kept() || to_server_.end_seen()) {
    on_server_writable();
  } else {
    client_.await_bytes();
  }
}

// Whether the server's TLS is still to be made.
bool TcpSession::shakes_hands() const {
  return state_ == State::connecting && server_.tls;
}

void TcpSession::shake_hands() {
  WorkerContext& worker = frontend_.worker();
  Transfer transfer{};
  if (!worker.handshakes.run(worker.loop, [&] { transfer = server_.tls->handshake(); })) return;
  switch (transfer.outcome) {
    case Transfer::Outcome::done:
      connected();
      return begin_relaying();
    case Transfer::Outcome::wants_read:
      return server_.writable.disarm();
    case Transfer::Outcome::wants_write:
      return server_.writable.arm();
    default:
      break;
  }
  int error = server_.tls->error();
  if (error == 0) worker.note_tls_failure(*lease_.server(), server_.tls->reason());
  connect_failed(error != 0 ? error : EPROTO);
}

// The bytes that waited for the server's TLS go on their way.
void TcpSession::begin_relaying() {
  server_.await_bytes();
  handle(to_server_.flush(client_, server_, frontend_.worker().relay), Direction::to_server);
}

void TcpSession::connect_failed(int error) {
  server_.close();
  client_.readable.disarm();
  follow(connector_.failed(error, std::move(lease_), pool(), frontend_.worker(), key()));
}

void TcpSession::connected() {
  WorkerContext& worker = frontend_.worker();
  state_ = State::relaying;
  connector_.connected();
  pool().stick(key(), *lease_.server(), worker.loop.now_ms());
  connected_ms_ = age_ms();
  lease_.server()->cell(worker.index).connections.fetch_add(1, std::memory_order_relaxed);
  int64_t now_us = worker.loop.now_us();
  connect_took_us_ = static_cast<uint32_t>(now_us - timing_us_);
  timing_us_ = now_us;
  frontend_.cell().connect.record(connect_took_us_);
  frontend_.cell().requests.add();
  lease_.server()->cell(worker.index).requests.add();
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
  if (error == 0 && !shakes_hands()) return connected();
  if (error == 0) return;
  if (error != EINPROGRESS) connect_failed(error);
}

void TcpSession::check_late_connect() {
  check_connect();
  if (state_ != State::connecting || deadline_ms() != 0) return;  // through, or at another server
  WorkerContext& worker = frontend_.worker();
  if (worker.loop.now_ms() >= connect_until_ms_) return connect_failed(ETIMEDOUT);
  worker.timeouts.set(*this, connect_until_ms_);
}

}  // namespace lb
