// SPDX-License-Identifier: MIT
#include "health/probe_connection.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "net/socket.h"

namespace lb {

namespace {

constexpr size_t kReadBytes = 16'384;

}  // namespace

ProbeConnection::ProbeConnection(EventLoop& loop, Owner& owner, std::optional<ProbeTls> tls)
    : loop_(loop), owner_(owner), tls_(std::move(tls)), failed_later_(loop, [this] {
        if (start_error_ == 0) return fail(tls_->problem, false);
        fail(strerror(start_error_), !lacks_resources(start_error_));
      }) {}

void ProbeConnection::open(const Address& address, const std::optional<Address>& source) {
  ++opened_;
  start_error_ = 0;
  bool lacks_tls = tls_ && !tls_->context;
  auto fd =
      lacks_tls ? Result<Fd, int>(Fd()) : connect_stream(address, source ? &*source : nullptr);
  if (!fd) start_error_ = fd.error();
  if (!fd || lacks_tls) return failed_later_.start(std::chrono::milliseconds(0));
  stream_ = Stream(std::move(*fd));
  state_ = State::connecting;
  readable_.bind<&ProbeConnection::on_readable>(loop_, stream_.fd(), IoEvent::kRead, this);
  writable_.bind<&ProbeConnection::on_writable>(loop_, stream_.fd(), IoEvent::kWrite, this);
  writable_.arm();
}

void ProbeConnection::send(std::string_view bytes) {
  peer_has_all_ = false;
  unsent_.append(bytes);
  flush();
}

void ProbeConnection::receive() {
  readable_.arm();
}

void ProbeConnection::close() {
  failed_later_.stop();
  if (stream_ && peer_has_all_ && !peer_ended_) set_reset_on_close(stream_.fd());
  if (state_ == State::open && !peer_has_all_ && stream_.is_tls()) stream_.shutdown_write();
  stream_.close();  // before the events: closing takes it out of epoll, which saves a call
  readable_.disarm();
  writable_.disarm();
  unsent_.clear();
  state_ = State::closed;
  peer_has_all_ = true;
  peer_ended_ = false;
}

std::optional<int64_t> ProbeConnection::certificate_ends_s() const {
  return stream_.is_tls() ? stream_.tls()->peer_certificate_ends_s() : std::nullopt;
}

void ProbeConnection::on_writable() {
  if (state_ == State::shaking_hands) return shake_hands();
  if (state_ == State::open) {
    flush();
    if (stream_.is_tls() && readable_.armed()) read();  // which may have waited for this
    return;
  }
  if (int error = connect_state(stream_.fd()); error != 0) {
    if (error != EINPROGRESS) fail(strerror(error), !lacks_resources(error));
    return;
  }
  writable_.disarm();
  if (tls_) return begin_tls();
  state_ = State::open;
  owner_.on_connected();
}

void ProbeConnection::begin_tls() {
  Fd fd = stream_.take_fd();
  auto session = tls_->context->open(fd.get(), tls_->name);
  stream_ = Stream(std::move(fd), std::move(session));
  state_ = State::shaking_hands;
  shake_hands();
}

void ProbeConnection::shake_hands() {
  peer_has_all_ = false;  // not even when it is done: the last message was ours
  switch (stream_.handshake().outcome) {
    case Transfer::Outcome::wants_read:
      writable_.disarm();
      return readable_.arm();
    case Transfer::Outcome::wants_write:
      readable_.disarm();
      return writable_.arm();
    case Transfer::Outcome::done:
      readable_.disarm();
      writable_.disarm();
      state_ = State::open;
      return owner_.on_connected();
    default:
      return fail(stream_.reason(), true);
  }
}

void ProbeConnection::flush() {
  while (!unsent_.empty()) {
    Transfer transfer = stream_.write(unsent_);
    // Reading tells what went wrong, after what the peer said before it.
    if (transfer.outcome == Transfer::Outcome::failed) unsent_.clear();
    if (transfer.outcome != Transfer::Outcome::done) break;
    unsent_.erase(0, transfer.bytes);
  }
  if (unsent_.empty()) {
    writable_.disarm();
  } else {
    writable_.arm();
  }
}

void ProbeConnection::on_readable() {
  if (state_ == State::shaking_hands) return shake_hands();
  read();
}

void ProbeConnection::read() {
  char buffer[kReadBytes];
  const uint64_t opened = opened_;
  do {
    Transfer transfer = stream_.read(buffer);
    switch (transfer.outcome) {
      case Transfer::Outcome::done:
        if (unsent_.empty()) peer_has_all_ = true;
        owner_.on_bytes({buffer, transfer.bytes});
        break;
      case Transfer::Outcome::wants_read:
        return;
      case Transfer::Outcome::wants_write:
        return writable_.arm();
      case Transfer::Outcome::end:
      case Transfer::Outcome::cut:
        readable_.disarm();
        peer_ended_ = true;
        return owner_.on_end();
      case Transfer::Outcome::failed:
        return fail(stream_.reason(), true);
    }
  } while (opened == opened_ && state_ == State::open && stream_.has_pending());
}

void ProbeConnection::fail(const std::string& why, bool made) {
  close();
  owner_.on_failed(why, made);
}

}  // namespace lb
