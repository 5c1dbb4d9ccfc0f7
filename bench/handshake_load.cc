// SPDX-License-Identifier: MIT
// Clients that come for a TLS handshake: connect, shake hands, 64 bytes there and back, close. A
// unit is a connection. --tls is the only version that they speak, 12 or 13. With --resume 1 each
// goes on with the session of the one before it; without, all handshakes are whole, and which it
// was is checked. One thread, one epoll.
#include <openssl/ssl.h>

#include <csignal>
#include <vector>

#include "meter.h"
#include "pattern.h"

namespace lb::bench {
namespace {

constexpr size_t kMessageSize = Pattern::kShortestPiece;

struct Connection {
  SSL* tls = nullptr;
  SSL_SESSION* session = nullptr;  // for the next one in this place
  bool offers = false;
  bool asked = false;
  uint64_t offset = 0;  // of the message under way
  size_t got = 0;
};

class Load {
 public:
  explicit Load(Options& options)
      : sockets_(options),
        connections_(options.number("connections", 32)),
        resumes_(options.number("resume", 0) != 0),
        context_(SSL_CTX_new(TLS_client_method())),
        meter_(options) {
    const int version = options.number("tls", 13) == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    options.finish();
    SSL_CTX_set_min_proto_version(context_, version);
    SSL_CTX_set_max_proto_version(context_, version);
    if (resumes_) {
      SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
      SSL_CTX_sess_set_new_cb(context_, keep_session);
    } else {
      SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    }
    for (size_t i = 0; i < connections_.size(); ++i) connections_[i].offset = i * 7919;
  }

  void run() {
    for (Connection& connection : connections_) open(connection);
    while (meter_.running(units_)) {
      for_each_event<Connection>(epoll_, 100,
                                 [this](Connection& connection, uint32_t) { advance(connection); });
    }
    meter_.print(units_, 0);
  }

 private:
  static int keep_session(SSL* tls, SSL_SESSION* session) {
    auto& connection = *static_cast<Connection*>(SSL_get_app_data(tls));
    SSL_SESSION_free(connection.session);
    connection.session = session;
    return 1;  // it is ours
  }

  void open(Connection& connection) {
    const int fd = sockets_.connected();
    set_nonblocking(fd);
    connection.tls = SSL_new(context_);
    SSL_set_app_data(connection.tls, &connection);
    SSL_set_connect_state(connection.tls);
    SSL_set_fd(connection.tls, fd);
    connection.offers = connection.session != nullptr;
    if (connection.offers) SSL_set_session(connection.tls, connection.session);
    connection.asked = false;
    connection.got = 0;
    connection.offset += kMessageSize;
    watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN, &connection);
    advance(connection);
  }

  void advance(Connection& connection) {
    if (!connection.asked) {
      const int result = SSL_do_handshake(connection.tls);
      if (result != 1) return waits(connection, result);
      if ((SSL_session_reused(connection.tls) != 0) != connection.offers) {
        die(connection.offers ? "a session was not taken up" : "a handshake was not whole");
      }
      const char* message = pattern_.at(connection.offset).data;
      if (SSL_write(connection.tls, message, kMessageSize) != kMessageSize) die("SSL_write");
      connection.asked = true;
    }
    while (connection.got < kMessageSize) {
      const int got =
          SSL_read(connection.tls, buffer_, static_cast<int>(kMessageSize - connection.got));
      if (got <= 0) return waits(connection, got);
      const auto size = static_cast<size_t>(got);
      if (!pattern_.matches(connection.offset + connection.got, buffer_, size)) {
        die("wrong bytes came back");
      }
      connection.got += size;
    }
    ++units_;
    SSL_shutdown(connection.tls);
    close(SSL_get_fd(connection.tls));
    SSL_free(connection.tls);
    open(connection);
  }

  static void waits(const Connection& connection, int result) {
    // The socket takes whatever a handshake writes.
    if (SSL_get_error(connection.tls, result) != SSL_ERROR_WANT_READ) {
      die("a connection ended early, or broke TLS");
    }
  }

  ClientSockets sockets_;
  std::vector<Connection> connections_;
  bool resumes_;
  SSL_CTX* context_;
  Meter meter_;
  int epoll_ = make_epoll();
  Pattern pattern_;
  char buffer_[kMessageSize];
  uint64_t units_ = 0;
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  using namespace lb::bench;
  std::signal(SIGPIPE, SIG_IGN);
  Options options(argc, argv);
  Load(options).run();
}
