// SPDX-License-Identifier: MIT
#include "health/probe_connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/socket.h"

namespace lb {

namespace {

constexpr size_t kReadBytes = 16'384;

}  // namespace

ProbeConnection::ProbeConnection(EventLoop& loop, Owner& owner)
    : loop_(loop), owner_(owner), failed_later_(loop, [this] { fail(start_error_); }) {}

void ProbeConnection::open(const Address& address, const std::optional<Address>& source) {
  auto fd = connect_stream(address, source ? &*source : nullptr);
  if (!fd) {
    start_error_ = fd.error();
    failed_later_.start(std::chrono::milliseconds(0));
    return;
  }
  fd_ = std::move(*fd);
  readable_.bind<&ProbeConnection::on_readable>(loop_, fd_.get(), IoEvent::kRead, this);
  writable_.bind<&ProbeConnection::on_writable>(loop_, fd_.get(), IoEvent::kWrite, this);
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
  if (fd_ && peer_has_all_ && !peer_ended_) set_reset_on_close(fd_.get());
  fd_.reset();  // before the events: closing takes it out of epoll, which saves a call
  readable_.disarm();
  writable_.disarm();
  unsent_.clear();
  connected_ = false;
  peer_has_all_ = true;
  peer_ended_ = false;
}

void ProbeConnection::on_writable() {
  if (connected_) return flush();
  if (int error = connect_state(fd_.get()); error != 0) {
    if (error != EINPROGRESS) fail(error);
    return;
  }
  connected_ = true;
  writable_.disarm();
  owner_.on_connected();
}

void ProbeConnection::flush() {
  while (!unsent_.empty()) {
    ssize_t sent = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) unsent_.clear();  // reading tells, after what the peer said
    if (sent < 0) break;
    unsent_.erase(0, static_cast<size_t>(sent));
  }
  if (unsent_.empty()) {
    writable_.disarm();
  } else {
    writable_.arm();
  }
}

void ProbeConnection::on_readable() {
  char buffer[kReadBytes];
  ssize_t got = recv(fd_.get(), buffer, sizeof(buffer), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) return fail(errno);
  if (got == 0) {
    readable_.disarm();
    peer_ended_ = true;
    return owner_.on_end();
  }
  if (unsent_.empty()) peer_has_all_ = true;
  owner_.on_bytes({buffer, static_cast<size_t>(got)});
}

void ProbeConnection::fail(int error) {
  close();
  owner_.on_failed(strerror(error), !lacks_resources(error));
}

}  // namespace lb
