// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct ssl_st;

namespace lb {

// What one step of a Stream came to.
struct Transfer {
  enum class Outcome : unsigned char {
    done,         // `bytes` were moved; a handshake or a shutdown is complete
    wants_read,   // nothing moved: again when the descriptor is readable
    wants_write,  // nothing moved: again when it is writable
    end,          // read: the peer has ended its stream, in order
    cut,          // read, TLS: the connection ended without close_notify, so bytes may be missing
    failed,       // error() and reason() tell; the stream is of no more use
  };
  Outcome outcome;
  size_t bytes = 0;
};

// What a TlsSession was made by; lives at least as long.
class TlsOrigin {
 public:
  virtual ~TlsOrigin() = default;
  virtual void handshake_failed() const {}
};

// The TLS of one connection, over a non-blocking socket that somebody else owns. Made by a
// TlsClientContext or a TlsServerContext; one thread at a time. Used through Stream, but for what
// only TLS has. Holds no buffer while idle; renegotiation is refused.
//
// A step that wants to write may belong to a read, and the other way round (key updates), so the
// outcome counts and not what was asked for. After a write that wants_write the same bytes are to
// be offered again, at any address, more may follow them. The tickets of TLS 1.3, which nobody
// waits for, travel with the first bytes that are written behind the handshake.
class TlsSession {
 public:
  // Takes over `ssl`, whose settings are complete.
  TlsSession(ssl_st* ssl, int fd, std::shared_ptr<const TlsOrigin> origin);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Bytes of the peer that were read from the socket before; ahead of the handshake.
  void prepend(std::string_view received) { received_.append(received); }
  // Bytes for the peer in clear, ahead of the handshake.
  void send_first(std::string_view bytes) { unsent_.append(bytes); }

  Transfer handshake();
  bool handshake_done() const { return handshake_done_; }
  // The peer has sent something.
  bool heard() const { return heard_; }
  // It began with a request of HTTP, in clear.
  bool heard_http() const { return heard_http_; }
  // As many records as there are and fit.
  Transfer read(char* into, size_t size);
  Transfer write(const char* bytes, size_t size);
  // Sends close_notify; the socket is the caller's to shut down.
  Transfer shutdown_write();
  // A read may yield bytes, or the end, though the socket is not readable.
  bool has_pending() const;
  // The last read found that nothing more is there yet.
  bool drained() const { return drained_ && end_told_; }

  // An errno, or 0 where the peer broke TLS or was refused.
  int error() const { return error_; }
  // Why it failed, in words.
  const std::string& reason() const { return reason_; }

  // What the handshake agreed on; "" where nothing was.
  std::string_view alpn() const;
  std::string_view server_name() const;  // SNI
  std::string_view version() const;      // "TLSv1.3"
  std::string_view cipher() const;
  bool resumed() const;
  // The subject of the peer's certificate ("CN=app, O=Shop"); "" without one.
  std::string peer_subject() const;
  // When the peer's certificate ends, in Unix time; nothing without one.
  std::optional<int64_t> peer_certificate_ends_s() const;

 private:
  friend struct SocketBio;

  void look_at_first(std::string_view received);
  bool is_held_back() const;
  Transfer send_unsent();
  void forget_unsent(size_t size);
  Transfer step_of_handshake();
  Transfer read_record(char* into, size_t size);
  Transfer after(int result);
  Transfer failed();
  void give_up();

  const std::shared_ptr<const TlsOrigin> origin_;
  ssl_st* const ssl_;
  const int fd_;
  int socket_error_ = 0;  // errno of the last call at the socket
  int error_ = 0;
  bool handshake_done_ = false;
  bool heard_ = false;
  bool looked_at_first_ = false;
  bool heard_http_ = false;
  bool drained_ = false;  // the last read found nothing more
  bool dry_ = false;      // the socket gave less than was asked for: nothing is there until it says
  bool corked_ = false;   // what OpenSSL writes is gathered in unsent_
  // How reading ended, if it did behind bytes that were returned; told by the next read.
  Transfer::Outcome read_end_ = Transfer::Outcome::done;
  bool end_told_ = true;
  std::string received_;
  std::string unsent_;  // goes ahead of what is written next
  std::string reason_;
};

}  // namespace lb
