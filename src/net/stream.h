// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/fd.h"
#include "net/tls_session.h"

namespace lb {

// A byte stream over a non-blocking socket that it owns: plain, or TLS. Whoever reads and writes it
// need not know which, if they follow three rules: handshake() until it is done, at once where the
// stream is plain; wait for what an outcome says, not for what was asked for; and before waiting
// for a readable socket, read while has_pending(). Plain ones cost one branch. One thread.
class Stream {
 public:
  Stream() = default;
  explicit Stream(Fd fd) : fd_(std::move(fd)) {}
  // TLS over `fd`, by a TlsClientContext or TlsServerContext that was given the same descriptor.
  Stream(Fd fd, std::unique_ptr<TlsSession> tls) : fd_(std::move(fd)), tls_(std::move(tls)) {}

  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  bool is_tls() const { return tls_ != nullptr; }
  // What only TLS has: SNI, ALPN, the peer's name. Null where it is plain.
  const TlsSession* tls() const { return tls_.get(); }

  // Bytes for the peer in clear, ahead of the handshake.
  void send_first(std::string_view bytes) { tls_->send_first(bytes); }
  Transfer handshake() { return tls_ ? tls_->handshake() : Transfer{Transfer::Outcome::done}; }

  // At least one byte where `done`.
  Transfer read(std::span<char> into) {
    if (tls_) return tls_->read(into.data(), into.size());
    return told(recv(fd_.get(), into.data(), into.size(), 0), Transfer::Outcome::wants_read);
  }

  // The outcome of a call that somebody else made at the descriptor of a plain stream; 0 = the end.
  Transfer told(ssize_t result, Transfer::Outcome wants) {
    if (result > 0) return {Transfer::Outcome::done, static_cast<size_t>(result)};
    if (result == 0) return {Transfer::Outcome::end};
    return blocked(wants);
  }

  // Writes what the socket takes, in part as well. After wants_write the same bytes are to be
  // offered again, more may follow them.
  Transfer write(std::string_view bytes) {
    if (tls_) return tls_->write(bytes.data(), bytes.size());
    ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return {Transfer::Outcome::done, static_cast<size_t>(sent)};
    return blocked(Transfer::Outcome::wants_write);
  }
  // The same for several pieces, which TLS joins into as few records as possible. At most 64.
  Transfer writev(std::span<const iovec> pieces);

  // The peer gets an end in order (and may go on sending); what was written before comes first.
  Transfer shutdown_write();

  // A read may yield bytes though the descriptor is not readable.
  bool has_pending() const { return tls_ && tls_->has_pending(); }

  // After `failed`: an errno, or 0 where the peer broke TLS or was refused; and why, in words.
  int error() const { return tls_ ? tls_->error() : error_; }
  std::string reason() const;

  // Closes, without any shutdown.
  void close() {
    tls_.reset();
    fd_.reset();
  }
  // Gives the socket away; what is left of TLS is of no use then.
  Fd take_fd() { return std::move(fd_); }

 private:
  Transfer blocked(Transfer::Outcome wants) {
    if (errno == EAGAIN || errno == EINTR) return {wants};
    error_ = errno;
    return {Transfer::Outcome::failed};
  }

  Fd fd_;
  std::unique_ptr<TlsSession> tls_;
  int error_ = 0;
};

}  // namespace lb
