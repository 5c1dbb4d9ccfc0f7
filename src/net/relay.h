// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "common/fd.h"
#include "net/event_loop.h"
#include "net/pipe_pool.h"
#include "net/tls_session.h"

namespace lb {

// One end of a relayed stream: a non-blocking socket, perhaps TLS over it, and its events. The
// events die before the descriptor unless close() is called, which spares two system calls.
struct Endpoint {
  Fd fd;
  std::unique_ptr<TlsSession> tls;
  IoEvent readable;
  IoEvent writable;
  // A TCP socket without TCP_NODELAY yet. Nagle's algorithm never holds back the first segment, so
  // it is set before the second write, and short connections do without the call.
  bool lacks_nodelay = false;
  // TLS has to write before it can read on; `writable` is armed for it.
  bool read_wants_write = false;

  // As recv(2) and send(2), through TLS where there is some. A stream that ends without
  // close_notify fails with ECONNRESET, one that breaks TLS with EPROTO.
  ssize_t receive(char* into, size_t size) {
    return tls ? receive_tls(into, size) : recv(fd.get(), into, size, 0);
  }
  ssize_t send(const char* bytes, size_t size) {
    return tls ? send_tls(bytes, size) : ::send(fd.get(), bytes, size, MSG_NOSIGNAL);
  }
  // Arms `readable`, also for bytes that TLS holds already.
  void await_bytes() {
    readable.arm();
    if (tls) readable.set_again(tls->has_pending());
  }
  // Ends the stream towards the peer; false if that must be tried again when it is writable. With
  // `closes` the socket is closed at once, which tells the peer of the connection's end.
  bool shut_write(bool closes) {
    if (tls && !shut_write_tls()) return false;
    if (!closes) shutdown(fd.get(), SHUT_WR);
    return true;
  }
  // `writable` has called back.
  void note_writable() {
    if (!read_wants_write) return;
    read_wants_write = false;
    await_bytes();
  }

  // Closes first and disarms then: the kernel forgets a closed descriptor's registration by itself,
  // and epoll_ctl on a bad descriptor is far cheaper than taking a live one out. Not so where both
  // are armed: libevent would change the registration before it takes it out, and complain.
  void close() {
    if (readable.armed()) writable.disarm();
    fd.reset();
    readable.disarm();
    writable.disarm();
    tls.reset();
  }

 private:
  ssize_t receive_tls(char* into, size_t size);
  ssize_t send_tls(const char* bytes, size_t size);
  bool shut_write_tls();
};

// What the relays of one worker share.
struct RelayTools {
  static constexpr size_t kScratchSize = 64 * 1024;

  RelayTools(EventLoop& loop, size_t pipe_limit)
      : scratch(std::make_unique<char[]>(kScratchSize)), pipes(loop, pipe_limit) {}

  std::unique_ptr<char[]> scratch;
  PipePool pipes;
};

// Moves the bytes of one direction, from one end to the other. Reads into the worker's scratch and
// writes at once; what the receiver refuses is kept (at most 64 KiB, or one pipe full) and reading
// stops until it is written. A stream that keeps filling the scratch goes on by splice(2) and comes
// back when its reads get small, or when it has been silent; TLS stays with copying. Work per call
// is bounded. Arms and disarms `from.readable` and `to.writable`, nothing else. Worker thread.
class Relay {
 public:
  enum class Outcome {
    open,         // goes on when an event says so
    finished,     // the sender is done and every byte of it is written; `from.readable` is still
                  // armed, for the caller to disarm or close
    read_error,   // error() tells; what was kept is lost
    write_error,  // error() tells; the bytes not written are kept
  };

  // Bytes to send before anything that is read: ours (`counted` false) first, then bytes of the
  // sender that were read elsewhere. Before anything is written.
  void push(std::string_view bytes, bool counted);

  // `from` is readable.
  Outcome read(Endpoint& from, Endpoint& to, RelayTools& tools);
  // `to` is writable, or new: writes what is kept, then lets reading go on.
  Outcome flush(Endpoint& from, Endpoint& to, RelayTools& tools);
  // Gives the pipe back; at the end of every relay.
  void release(RelayTools& tools);

  // Whether the receiver has taken anything yet.
  bool wrote() const { return wrote_; }
  size_t kept() const { return kept_size_; }
  bool has_kept() const { return kept_size_ > 0 || in_pipe() > 0; }
  bool end_seen() const { return end_seen_; }
  bool finished() const { return end_seen_ && !has_kept(); }
  bool splicing() const { return pipe_ != nullptr; }
  int error() const { return error_; }
  // Bytes written to the receiver, without pushed ones.
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr int kReadsPerTurn = 4;
  static constexpr int kFullReadsToSplice = 3;
  static constexpr size_t kSmallSplice = 16 * 1024;
  static constexpr int kSmallSplicesToCopy = 8;

  size_t in_pipe() const { return pipe_ ? pipe_->held : 0; }
  Outcome copy(Endpoint& from, Endpoint& to, RelayTools& tools);
  Outcome splice(Endpoint& from, Endpoint& to, RelayTools& tools, bool is_readable);
  Outcome end_of_read(Endpoint& from, ssize_t result);
  ssize_t write(Endpoint& to, const char* bytes, size_t size);
  bool write_from_pipe(Endpoint& to);
  void keep(const char* bytes, size_t size);
  Outcome blocked(Endpoint& from, Endpoint& to);
  Outcome fail_write();

  std::unique_ptr<char[]> kept_;  // bytes read and not yet written, from kept_start_ on
  uint32_t kept_start_ = 0;
  uint32_t kept_size_ = 0;
  uint32_t pushed_ = 0;  // of the kept ones, those that do not count
  std::unique_ptr<Pipe> pipe_;
  uint64_t bytes_ = 0;
  int error_ = 0;
  uint8_t streak_ = 0;  // full reads while copying, small splices while splicing
  bool end_seen_ = false;
  bool wrote_ = false;
};

}  // namespace lb
