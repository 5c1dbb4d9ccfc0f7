// SPDX-License-Identifier: MIT
#include "net/relay.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/socket.h"

namespace lb {

namespace {

bool would_block(int error) {
  return error == EAGAIN || error == EINTR;  // an interrupted call is tried again by the next event
}

// The errno of a step that moved nothing.
int error_of(const Transfer& transfer, const TlsSession& tls) {
  switch (transfer.outcome) {
    case Transfer::Outcome::wants_read:
    case Transfer::Outcome::wants_write:
      return EAGAIN;
    case Transfer::Outcome::cut:
      return ECONNRESET;
    default:
      return tls.error() != 0 ? tls.error() : EPROTO;
  }
}

}  // namespace

ssize_t Endpoint::receive_tls(char* into, size_t size) {
  Transfer transfer = tls->read(into, size);
  if (transfer.outcome == Transfer::Outcome::done) return static_cast<ssize_t>(transfer.bytes);
  if (transfer.outcome == Transfer::Outcome::end) return 0;
  if (transfer.outcome == Transfer::Outcome::wants_write) {
    // Reading on would only find the same again, for as long as the peer takes nothing.
    read_wants_write = true;
    readable.disarm();
    writable.arm();
  }
  errno = error_of(transfer, *tls);
  return -1;
}

ssize_t Endpoint::send_tls(const char* bytes, size_t size) {
  Transfer transfer = tls->write(bytes, size);
  if (transfer.outcome == Transfer::Outcome::done) return static_cast<ssize_t>(transfer.bytes);
  errno = error_of(transfer, *tls);
  return -1;
}

bool Endpoint::shut_write_tls() {
  return tls->shutdown_write().outcome != Transfer::Outcome::wants_write;
}

void Relay::push(std::string_view bytes, bool counted) {
  if (bytes.empty()) return;
  keep(bytes.data(), bytes.size());
  if (!counted) pushed_ = kept_size_;
}

Relay::Outcome Relay::read(Endpoint& from, Endpoint& to, RelayTools& tools) {
  return pipe_ ? splice(from, to, tools, true) : copy(from, to, tools);
}

Relay::Outcome Relay::flush(Endpoint& from, Endpoint& to, RelayTools& tools) {
  if (kept_size_ > 0) {
    ssize_t sent = write(to, kept_.get() + kept_start_, kept_size_);
    if (sent < 0 && !would_block(errno)) return fail_write();
    if (sent > 0) {
      auto written = static_cast<uint32_t>(sent);
      uint32_t own = std::min(pushed_, written);
      pushed_ -= own;
      bytes_ += written - own;
      kept_start_ += written;
      kept_size_ -= written;
    }
    if (kept_size_ > 0) return blocked(from, to);
    kept_.reset();
    kept_start_ = 0;
  } else if (in_pipe() > 0) {
    if (!write_from_pipe(to)) return fail_write();
    if (in_pipe() > 0) return blocked(from, to);
  }
  to.writable.disarm();
  if (end_seen_) {
    release(tools);
    return Outcome::finished;
  }
  from.await_bytes();
  return Outcome::open;
}

void Relay::release(RelayTools& tools) {
  if (pipe_) tools.pipes.give_back(std::move(pipe_));
}

Relay::Outcome Relay::copy(Endpoint& from, Endpoint& to, RelayTools& tools) {
  char* scratch = tools.scratch.get();
  for (int i = 0; i < kReadsPerTurn; ++i) {
    ssize_t got = from.receive(scratch, RelayTools::kScratchSize);
    if (got <= 0) return end_of_read(from, got);
    auto size = static_cast<size_t>(got);
    ssize_t sent = write(to, scratch, size);
    if (sent < 0 && !would_block(errno)) {
      int error = errno;
      keep(scratch, size);
      errno = error;
      return fail_write();
    }
    size_t written = sent > 0 ? static_cast<size_t>(sent) : 0;
    bytes_ += written;
    if (written < size) {
      keep(scratch + written, size - written);
      return blocked(from, to);
    }
    if (from.tls ? from.tls->drained() : size < RelayTools::kScratchSize) {
      // A short read has emptied the socket: asking again would only cost a call.
      streak_ = 0;
      if (from.tls) from.readable.set_again(false);
      return Outcome::open;
    }
    if (!from.tls && !to.tls && ++streak_ >= kFullReadsToSplice) {
      streak_ = 0;
      pipe_ = tools.pipes.take();
      if (pipe_) {
        tools.pipes.lend(pipe_);
        return splice(from, to, tools, false);
      }
    }
  }
  if (from.tls) from.readable.set_again(true);
  return Outcome::open;
}

// `is_readable`: an event has just said so of `from`.
Relay::Outcome Relay::splice(Endpoint& from, Endpoint& to, RelayTools& tools, bool is_readable) {
  pipe_->used = true;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    ssize_t got = ::splice(from.fd.get(), nullptr, pipe_->write_end.get(), nullptr, pipe_->capacity,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got <= 0) {
      Outcome outcome = end_of_read(from, got);
      // Before a byte of urgent data splice(2) finds nothing for ever, though the socket stays
      // readable: copying goes on, since recv(2) passes over it.
      if (outcome != Outcome::open || (is_readable && i == 0)) {
        streak_ = 0;
        release(tools);
      }
      return outcome;
    }
    pipe_->held += static_cast<size_t>(got);
    if (!write_from_pipe(to)) return fail_write();
    if (pipe_->held > 0) return blocked(from, to);
    if (static_cast<size_t>(got) < kSmallSplice) {
      if (++streak_ >= kSmallSplicesToCopy) {
        streak_ = 0;
        release(tools);
      }
      return Outcome::open;
    }
    streak_ = 0;
  }
  return Outcome::open;
}

Relay::Outcome Relay::end_of_read(Endpoint& from, ssize_t result) {
  if (result == 0) {
    end_seen_ = true;
    return Outcome::finished;
  }
  if (would_block(errno)) {
    if (from.tls) from.readable.set_again(false);
    return Outcome::open;
  }
  error_ = errno;
  return Outcome::read_error;
}

ssize_t Relay::write(Endpoint& to, const char* bytes, size_t size) {
  if (to.lacks_nodelay && wrote_) {
    set_nodelay(to.fd.get());
    to.lacks_nodelay = false;
  }
  ssize_t sent = to.send(bytes, size);
  wrote_ |= sent > 0;
  return sent;
}

bool Relay::write_from_pipe(Endpoint& to) {
  while (pipe_->held > 0) {
    ssize_t sent = ::splice(pipe_->read_end.get(), nullptr, to.fd.get(), nullptr, pipe_->held,
                            SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (sent <= 0) return sent < 0 && would_block(errno);
    pipe_->held -= static_cast<size_t>(sent);
    bytes_ += static_cast<uint64_t>(sent);
  }
  return true;
}

void Relay::keep(const char* bytes, size_t size) {
  auto joined = std::make_unique_for_overwrite<char[]>(kept_size_ + size);
  if (kept_size_ > 0) std::memcpy(joined.get(), kept_.get() + kept_start_, kept_size_);
  std::memcpy(joined.get() + kept_size_, bytes, size);
  kept_ = std::move(joined);
  kept_start_ = 0;
  kept_size_ += static_cast<uint32_t>(size);
}

Relay::Outcome Relay::blocked(Endpoint& from, Endpoint& to) {
  from.readable.disarm();
  to.writable.arm();
  return Outcome::open;
}

Relay::Outcome Relay::fail_write() {
  error_ = errno;
  return Outcome::write_error;
}

}  // namespace lb
