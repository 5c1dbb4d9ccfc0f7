// SPDX-License-Identifier: MIT
#include "l4/tcp_opening.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/log.h"
#include "l4/postgres_start.h"
#include "l4/tcp_frontend.h"
#include "net/client_hello.h"

namespace lb {

bool TcpOpening::is_needed(const TcpFrontend& frontend, const Address& peer) {
  return frontend.tls() != nullptr || frontend.peeks_name() || frontend.header_follows(peer);
}

TcpOpening::TcpOpening(TcpFrontend& frontend, const Address& peer, SourcePlace& place)
    : frontend_(frontend),
      place_(place),
      tls_(frontend.tls()),
      peer_(peer),
      phase_(frontend.header_follows(peer) ? Phase::proxy_header : after_header()) {}

TcpOpening::Phase TcpOpening::after_header() const {
  const auto& settings = frontend_.config().tls;
  if (tls_ && settings && settings->starttls == StartTls::postgres) return Phase::starttls;
  if (tls_) return Phase::handshake;
  return frontend_.peeks_name() ? Phase::client_hello : Phase::done;
}

TcpOpening::Step TcpOpening::advance(Endpoint& client) {
  if (phase_ != Phase::handshake) {  // for which OpenSSL reads
    if (Step received = receive(client); received != Step::done) return received;
  }
  Step step = Step::done;
  while (step == Step::done && phase_ != Phase::done) {
    switch (phase_) {
      case Phase::proxy_header:
        step = read_proxy_header();
        break;
      case Phase::starttls:
        step = read_postgres_start(client);
        break;
      case Phase::handshake:
        step = shake_hands(client);
        break;
      case Phase::client_hello:
        step = read_client_hello();
        break;
      case Phase::done:
        break;
    }
  }
  return step;
}

TcpOpening::Step TcpOpening::fail(CloseReason reason) {
  reason_ = reason;
  return Step::failed;
}

TcpOpening::Step TcpOpening::receive(Endpoint& client) {
  char* scratch = frontend_.worker().relay.scratch.get();
  client.readable.arm();
  ssize_t got = recv(client.fd.get(), scratch, RelayTools::kScratchSize, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Step::more;
  if (got <= 0) return fail(CloseReason::client_gone);
  is_begun_ = true;
  bytes_.append(scratch, static_cast<size_t>(got));
  return Step::done;
}

TcpOpening::Step TcpOpening::read_proxy_header() {
  ProxyParse parsed = parse_proxy_header(bytes_);
  if (parsed.state == ProxyParse::State::incomplete) return Step::more;
  if (parsed.state == ProxyParse::State::invalid) return fail(CloseReason::bad_proxy_header);
  header_ = parsed.header;
  if (!header_.source.empty()) peer_ = header_.source;
  if (auto refused = frontend_.refuses(peer_)) return fail(*refused);
  auto place = frontend_.place_of(peer_);
  if (!place) return fail(CloseReason::source_full);
  place_ = std::move(*place);
  bytes_.erase(0, parsed.length);
  phase_ = after_header();
  return Step::done;
}

TcpOpening::Step TcpOpening::read_postgres_start(Endpoint& client) {
  switch (parse_postgres_start(bytes_)) {
    case PostgresStart::incomplete:
      return Step::more;
    case PostgresStart::direct_tls:
      phase_ = Phase::handshake;
      return Step::done;
    case PostgresStart::cancel_request:
      phase_ = Phase::done;
      return Step::done;
    case PostgresStart::ssl_request:
      return answer_postgres(client, true);
    case PostgresStart::gssenc_request:
      return answer_postgres(client, false);
    case PostgresStart::plain: {
      std::string error = postgres_error("encryption is required here (sslmode=require)");
      send(client.fd.get(), error.data(), error.size(), MSG_NOSIGNAL);
      return fail(CloseReason::tls_failed);
    }
    case PostgresStart::invalid:
      break;
  }
  return fail(CloseReason::tls_failed);
}

TcpOpening::Step TcpOpening::answer_postgres(Endpoint& client, bool is_yes) {
  // Who waits for an answer has sent no more. Bytes in clear behind the request may be somebody
  // else's, to be taken for the client's once it is safe (CVE-2021-23214).
  if (bytes_.size() > kPostgresRequest) return fail(CloseReason::tls_failed);
  bytes_.clear();
  char answer = is_yes ? kPostgresYes : kPostgresNo;
  if (send(client.fd.get(), &answer, 1, MSG_NOSIGNAL) != 1) return fail(CloseReason::client_gone);
  if (!is_yes) return Step::more;
  phase_ = Phase::handshake;
  return Step::done;
}

TcpOpening::Step TcpOpening::shake_hands(Endpoint& client) {
  if (!client.tls) {
    client.tls = tls_->accept(client.fd.get());
    client.tls->prepend(std::exchange(bytes_, {}));
    client.readable.arm();
  }
  WorkerContext& worker = frontend_.worker();
  Transfer transfer{};
  if (!worker.handshakes.run(worker.loop, [&] { transfer = client.tls->handshake(); })) {
    // What came with a PROXY header is no event of the socket any more.
    client.await_bytes();
    return Step::more;
  }
  is_begun_ |= client.tls->heard();
  switch (transfer.outcome) {
    case Transfer::Outcome::done:
      server_name_ = comparable_name(client.tls->server_name());
      client.writable.disarm();
      phase_ = Phase::done;
      return Step::done;
    case Transfer::Outcome::wants_read:
      client.writable.disarm();
      client.await_bytes();
      return Step::more;
    case Transfer::Outcome::wants_write:
      client.readable.disarm();
      client.writable.arm();
      return Step::more;
    default:
      return fail(CloseReason::tls_failed);
  }
}

TcpOpening::Step TcpOpening::read_client_hello() {
  ClientHello hello = parse_client_hello(bytes_);
  switch (hello.state) {
    case ClientHello::State::incomplete:
      return Step::more;
    case ClientHello::State::invalid:
      return fail(CloseReason::tls_failed);
    case ClientHello::State::complete:
    case ClientHello::State::not_tls:  // it has no name
      server_name_ = std::move(hello.server_name);
      phase_ = Phase::done;
      return Step::done;
  }
  return fail(CloseReason::tls_failed);
}

}  // namespace lb
