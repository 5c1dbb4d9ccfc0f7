// SPDX-License-Identifier: MIT
#include "net/tls_session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "net/socket.h"
#include "net/tls_error.h"

namespace lb {

namespace {

constexpr size_t kMostRecord = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr size_t kLongestMethod = 16;

// "GET /", or any other word in capitals and what it asks for: no handshake begins like that.
bool begins_http_request(std::string_view bytes) {
  size_t end = bytes.substr(0, kLongestMethod).find(' ');
  if (end == std::string_view::npos || end < 3) return false;
  return std::all_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
}

}  // namespace

// OpenSSL's way to the socket. Its own would raise SIGPIPE and know nothing of bytes that were read
// before.
struct SocketBio {
  static TlsSession& session(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    TlsSession& session = SocketBio::session(bio);
    BIO_clear_retry_flags(bio);
    if (!session.received_.empty()) {
      size_t count = std::min(session.received_.size(), static_cast<size_t>(size));
      std::copy_n(session.received_.data(), count, into);
      session.look_at_first({into, count});
      session.received_.erase(0, count);
      if (session.received_.empty()) session.received_.shrink_to_fit();
      return static_cast<int>(count);
    }
    if (session.dry_) {
      BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
      return -1;
    }
    ssize_t got = recv(session.fd_, into, static_cast<size_t>(size), 0);
    if (got < 0) blocked(bio, session, BIO_FLAGS_READ);
    session.dry_ = got > 0 && got < size;
    session.heard_ |= got > 0;
    if (got > 0) session.look_at_first({into, static_cast<size_t>(got)});
    if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return static_cast<int>(got);
  }

  static int write(BIO* bio, const char* bytes, int size) {
    TlsSession& session = SocketBio::session(bio);
    BIO_clear_retry_flags(bio);
    if (session.corked_) {
      session.unsent_.append(bytes, static_cast<size_t>(size));
      return size;
    }
    if (!session.unsent_.empty()) return write_behind(bio, session, bytes, size);
    ssize_t sent = send(session.fd_, bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
    if (sent < 0) blocked(bio, session, BIO_FLAGS_WRITE);
    return static_cast<int>(sent);
  }

  // Behind what was held back, in one call.
  static int write_behind(BIO* bio, TlsSession& session, const char* bytes, int size) {
    size_t held = session.unsent_.size();
    iovec pieces[] = {{session.unsent_.data(), held},
                      {const_cast<char*>(bytes), static_cast<size_t>(size)}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = std::size(pieces);
    ssize_t result = sendmsg(session.fd_, &message, MSG_NOSIGNAL);
    if (result < 0) {
      blocked(bio, session, BIO_FLAGS_WRITE);
      return -1;
    }
    auto sent = static_cast<size_t>(result);
    session.forget_unsent(std::min(sent, held));
    if (sent > held) return static_cast<int>(sent - held);
    BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY);
    return -1;
  }

  static void blocked(BIO* bio, TlsSession& session, int direction) {
    if (errno == EAGAIN || errno == EINTR) {
      BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY);
    } else {
      session.socket_error_ = errno;
    }
  }

  static long control(BIO* bio, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_FLUSH:
      case BIO_CTRL_DUP:
        return 1;
      case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
      default:
        return 0;
    }
  }

  static BIO_METHOD* make_method() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lb socket");
    BIO_meth_set_read(method, read);
    BIO_meth_set_write(method, write);
    BIO_meth_set_ctrl(method, control);
    BIO_meth_set_create(method, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return method;
  }
};

TlsSession::TlsSession(ssl_st* ssl, int fd, std::shared_ptr<const TlsOrigin> origin)
    : origin_(std::move(origin)), ssl_(ssl), fd_(fd) {
  static BIO_METHOD* const method = SocketBio::make_method();  // for as long as the process
  BIO* bio = BIO_new(method);
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_, bio, bio);
}

TlsSession::~TlsSession() {
  SSL_free(ssl_);
}

Transfer TlsSession::handshake() {
  dry_ = false;
  corked_ = true;
  Transfer transfer = step_of_handshake();
  corked_ = false;
  if (!unsent_.empty() && !is_held_back()) {
    Transfer sent = send_unsent();
    // A refusal is told to the peer if it can be, and is what happened either way.
    bool is_refused = transfer.outcome == Transfer::Outcome::failed;
    if (sent.outcome != Transfer::Outcome::done && !is_refused) transfer = sent;
  }
  if (transfer.outcome == Transfer::Outcome::failed) give_up();
  return transfer;
}

// The rest of what the peer sent at once is not read: closing would then reset the connection, and
// the alert that says why might not arrive.
void TlsSession::give_up() {
  discard_unread(fd_);
  if (origin_) origin_->handshake_failed();
}

void TlsSession::look_at_first(std::string_view received) {
  if (!std::exchange(looked_at_first_, true)) heard_http_ = begins_http_request(received);
}

// Whether what there is to send are tickets.
bool TlsSession::is_held_back() const {
  return handshake_done_ && SSL_is_server(ssl_) == 1 && SSL_version(ssl_) == TLS1_3_VERSION;
}

Transfer TlsSession::send_unsent() {
  ssize_t sent = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    socket_error_ = errno;
    ERR_clear_error();
    return failed();
  }
  if (sent > 0) forget_unsent(static_cast<size_t>(sent));
  return {unsent_.empty() ? Transfer::Outcome::done : Transfer::Outcome::wants_write};
}

void TlsSession::forget_unsent(size_t size) {
  unsent_.erase(0, size);
  if (unsent_.empty()) unsent_.shrink_to_fit();
}

Transfer TlsSession::step_of_handshake() {
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_);
  drained_ = false;
  if (result != 1) {
    Transfer transfer = after(result);
    drained_ = transfer.outcome == Transfer::Outcome::wants_read;
    // An end is none in order before there is anything to end.
    if (transfer.outcome != Transfer::Outcome::end && transfer.outcome != Transfer::Outcome::cut) {
      return transfer;
    }
    reason_ = "the connection ended during the TLS handshake";
    return {Transfer::Outcome::failed};
  }
  handshake_done_ = true;
  return {Transfer::Outcome::done};
}

Transfer TlsSession::read(char* into, size_t size) {
  if (!has_pending()) dry_ = false;  // so the socket has said that there is something
  size_t total = 0;
  do {
    Transfer transfer = read_record(into + total, size - total);
    if (transfer.outcome == Transfer::Outcome::done) {
      total += transfer.bytes;
      continue;
    }
    end_told_ = total == 0 || read_end_ == Transfer::Outcome::done;
    if (total == 0) return transfer;
    break;
  } while (size - total >= kMostRecord);
  return {Transfer::Outcome::done, total};
}

Transfer TlsSession::read_record(char* into, size_t size) {
  if (read_end_ != Transfer::Outcome::done) return {read_end_};
  ERR_clear_error();
  size_t got = 0;
  int result = SSL_read_ex(ssl_, into, size, &got);
  drained_ = result != 1;
  if (result == 1) return {Transfer::Outcome::done, got};
  Transfer transfer = after(result);
  bool blocked = transfer.outcome == Transfer::Outcome::wants_read ||
                 transfer.outcome == Transfer::Outcome::wants_write;
  if (!blocked) read_end_ = transfer.outcome;
  return transfer;
}

Transfer TlsSession::write(const char* bytes, size_t size) {
  size_t total = 0;
  while (total < size) {
    ERR_clear_error();
    size_t sent = 0;
    int result = SSL_write_ex(ssl_, bytes + total, std::min(size - total, kMostRecord), &sent);
    if (result == 1) {
      total += sent;
      continue;
    }
    Transfer transfer = after(result);
    return total > 0 ? Transfer{Transfer::Outcome::done, total} : transfer;
  }
  return {Transfer::Outcome::done, total};
}

Transfer TlsSession::shutdown_write() {
  ERR_clear_error();
  int result = SSL_shutdown(ssl_);  // 0: sent, the peer's is not here yet
  if (result >= 0) return {Transfer::Outcome::done};
  return after(result);
}

bool TlsSession::has_pending() const {
  // What is left of a record that is not complete counts for OpenSSL, but there is nothing to read.
  return !end_told_ || !received_.empty() || (!drained_ && SSL_has_pending(ssl_) == 1);
}

Transfer TlsSession::after(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return {Transfer::Outcome::wants_read};
    case SSL_ERROR_WANT_WRITE:
      return {Transfer::Outcome::wants_write};
    case SSL_ERROR_ZERO_RETURN:
      return {Transfer::Outcome::end};
    case SSL_ERROR_SYSCALL:
      return failed();
    default:
      if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        reason_ = "the connection ended without close_notify";
        return {Transfer::Outcome::cut};
      }
      return failed();
  }
}

Transfer TlsSession::failed() {
  if (!reason_.empty()) return {Transfer::Outcome::failed};  // the first failure tells
  // The last error is TLS's own view, those before it say what it stumbled over.
  unsigned long last = ERR_peek_last_error();
  if (last == 0 || ERR_GET_LIB(last) == ERR_LIB_SYS) {
    error_ = socket_error_ != 0 ? socket_error_ : ECONNRESET;
    reason_ = strerror(error_);
  } else if (ERR_GET_REASON(last) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    reason_ = std::string("certificate verification failed: ") +
              X509_verify_cert_error_string(SSL_get_verify_result(ssl_));
  } else {
    reason_ = tls_error(last);
  }
  ERR_clear_error();
  return {Transfer::Outcome::failed};
}

std::string_view TlsSession::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view TlsSession::server_name() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : name;
}

std::string_view TlsSession::version() const {
  return SSL_get_version(ssl_);
}

std::string_view TlsSession::cipher() const {
  return SSL_get_cipher_name(ssl_);
}

bool TlsSession::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

std::string TlsSession::peer_subject() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return {};
  BIO* memory = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0,
                     XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  auto size = static_cast<size_t>(BIO_get_mem_data(memory, &text));
  std::string subject(text, size);
  BIO_free(memory);
  return subject;
}

std::optional<int64_t> TlsSession::peer_certificate_ends_s() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  tm end{};
  if (certificate == nullptr) return std::nullopt;
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return std::nullopt;
  return timegm(&end);
}

}  // namespace lb
