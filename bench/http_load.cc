// SPDX-License-Identifier: MIT
// HTTP clients in front of the proxies: one thread, one epoll. One mode a run:
//   rps    requests on kept connections, one after the other on each; a unit is a request
//   close  connect, one request, close; a unit is a connection
//   bulk   each connection asks for a long body again and again; a unit is a byte of a body
//   idle   one request on each connection, then silence, while --active further ones go on
//          asking until standard input ends
// With --tls 1 over TLS. With --hosts N the requests name N hosts in turn. With --users N they
// bring the tokens of N users, who all were there once before the run begins; with --asking N so
// many of them go on. With --awake 1 it never sleeps. Every body is compared with what must have
// come; anything but a 200 ends the run with an error.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "meter.h"
#include "pattern.h"
#include "users.h"

namespace lb::bench {
namespace {

constexpr size_t kBufferSize = 256 * 1024;
constexpr size_t kLongestHead = 16 * 1024;
constexpr size_t kSampleSize = 64;  // compared of each read of a long body in the steady phase
constexpr uint64_t kBulkSize = 1'000'000'000;
constexpr int kMaxErrors = 100;
constexpr unsigned kLongestStart_s = 300;  // until all users were there

struct Connection {
  int fd = -1;
  SSL* tls = nullptr;
  std::string partial{};  // of a response's head
  uint64_t offset = 0;    // of the body
  uint64_t left = 0;
  bool in_body = false;
  bool asked = false;
};

class Load {
 public:
  Load(Options& options, bool is_bulk)
      : sockets_(options),
        connections_(options.number("connections", 64)),
        active_(options.number("active", 0)),
        use_tls_(options.number("tls", 0) != 0),
        timeout_ms_(options.number("awake", 0) != 0 ? 0 : 100),
        users_(options.number("users", 0), options.number("asking", 1)),
        meter_(options) {
    const uint64_t hosts = options.number("hosts", 1);
    const std::string path = is_bulk ? "/bulk/" + std::to_string(kBulkSize) : "/";
    options.finish();
    for (uint64_t i = 0; i < hosts; ++i) {
      requests_.push_back("GET " + path + " HTTP/1.1\r\nHost: r" + std::to_string(i) +
                          ".bench.example\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n");
    }
    if (use_tls_) {
      context_ = SSL_CTX_new(TLS_client_method());
      if (context_ == nullptr) die("no TLS context");
    }
  }

  // rps and bulk.
  void kept_connections(bool count_bytes) {
    open_all(connections_);
    if (users_.count() > 0) alarm(kLongestStart_s);
    while (units_ < users_.count() || meter_.running(units_)) {
      for_each_event([this, count_bytes](Connection& connection, uint32_t) {
        if (!receive(connection, count_bytes)) die("a connection ended before its answer");
      });
    }
    meter_.print(units_, errors_);
  }

  void short_connections() {
    for (Connection& connection : connections_) reopen(connection);
    while (meter_.running(units_)) {
      for_each_event([this](Connection& connection, uint32_t) {
        if (!connection.asked) return ask_or_fail(connection);
        asks_again_ = false;
        const uint64_t before = units_;
        if (!receive(connection, false)) return fail(connection);
        if (units_ == before) return;
        close(connection.fd);
        reopen(connection);
      });
    }
    meter_.print(units_, errors_);
  }

  void idle() {
    asks_again_ = false;
    for (Connection& connection : connections_) {
      open_blocking(connection);
      ask(connection);
      const uint64_t before = units_;
      while (units_ == before) {
        if (!receive(connection, false)) die("a connection ended before its answer");
      }
    }
    std::vector<Connection> active(active_);
    asks_again_ = true;
    open_all(active);
    std::printf("{\"held\": %zu}\n", connections_.size());
    std::fflush(stdout);
    alarm(0);
    watch(epoll_, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, nullptr);
    bool told_to_end = false;
    while (!told_to_end) {
      epoll_event events[256];
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[i].data.ptr);
        told_to_end |= connection == nullptr;
        if (connection != nullptr && !receive(*connection, false)) die("a connection ended");
      }
    }
  }

 private:
  template <typename Handler>
  void for_each_event(Handler handle) {
    bench::for_each_event<Connection>(epoll_, timeout_ms_, handle);
  }

  void open_blocking(Connection& connection) {
    connection.fd = sockets_.connected();
    if (!use_tls_) return;
    connection.tls = SSL_new(context_);
    SSL_set_fd(connection.tls, connection.fd);
    if (SSL_connect(connection.tls) != 1) die("no TLS handshake");
  }

  void open_all(std::vector<Connection>& connections) {
    for (Connection& connection : connections) {
      open_blocking(connection);
      set_nonblocking(connection.fd);
      watch(epoll_, EPOLL_CTL_ADD, connection.fd, EPOLLIN, &connection);
      if (!ask(connection)) die_errno("send");
    }
  }

  // The request is sent at once: over loopback the connection stands when connect() returns.
  void reopen(Connection& connection) {
    connection = Connection{.fd = sockets_.connecting()};
    const bool asked = ask(connection);
    watch(epoll_, EPOLL_CTL_ADD, connection.fd, asked ? EPOLLIN : EPOLLOUT, &connection);
  }

  void ask_or_fail(Connection& connection) {
    if (!ask(connection)) return fail(connection);
    watch(epoll_, EPOLL_CTL_MOD, connection.fd, EPOLLIN, &connection);
  }

  void fail(Connection& connection) {
    if (++errors_ > kMaxErrors) die("too many failed connections");
    close(connection.fd);
    reopen(connection);
  }

  bool ask(Connection& connection) {
    const std::string& request =
        users_.count() > 0 ? users_.next_request() : requests_[next_request_++ % requests_.size()];
    const int size = static_cast<int>(request.size());
    const auto sent = connection.tls != nullptr
                          ? SSL_write(connection.tls, request.data(), size)
                          : send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    if (sent != size) die("a request was sent in part");
    connection.asked = true;
    return true;
  }

  // False at the end of the connection.
  bool receive(Connection& connection, bool count_bytes) {
    for (;;) {
      const ssize_t got = read_some(connection);
      if (got < 0) return true;
      if (got == 0) return false;
      take(connection, {buffer_.data(), static_cast<size_t>(got)}, count_bytes);
      if (connection.tls == nullptr || SSL_pending(connection.tls) == 0) return true;
    }
  }

  // -1 = nothing is there.
  ssize_t read_some(Connection& connection) {
    if (connection.tls == nullptr) {
      const ssize_t got = recv(connection.fd, buffer_.data(), kBufferSize, 0);
      return got < 0 && errno != EAGAIN ? 0 : got;
    }
    const int got = SSL_read(connection.tls, buffer_.data(), static_cast<int>(kBufferSize));
    if (got > 0) return got;
    return SSL_get_error(connection.tls, got) == SSL_ERROR_WANT_READ ? -1 : 0;
  }

  void take(Connection& connection, std::string_view bytes, bool count_bytes) {
    if (!connection.in_body) {
      if (!connection.partial.empty()) {
        connection.partial += bytes;
        bytes = connection.partial;
      }
      const size_t end = bytes.find("\r\n\r\n");
      if (end == bytes.npos) {
        if (bytes.size() > kLongestHead) die("a response's head has no end");
        if (connection.partial.empty()) connection.partial = std::string(bytes);
        return;
      }
      connection.left = length_of(bytes.substr(0, end + 2));
      connection.offset = 0;
      connection.in_body = true;
      bytes.remove_prefix(end + 4);
    }
    if (bytes.size() > connection.left) die("more came than a body's length");
    const bool sample = count_bytes && meter_.steady();
    const size_t checked = sample ? std::min(bytes.size(), kSampleSize) : bytes.size();
    if (!pattern_.matches(connection.offset, bytes.data(), checked)) die("wrong bytes came back");
    connection.offset += bytes.size();
    connection.left -= bytes.size();
    if (count_bytes) units_ += bytes.size();
    connection.partial.clear();
    if (connection.left > 0) return;
    connection.in_body = false;
    if (!count_bytes) ++units_;
    if (asks_again_ && !ask(connection)) die_errno("send");
  }

  static uint64_t length_of(std::string_view head) {
    if (!head.starts_with("HTTP/1.1 200 ")) {
      die("not a 200: " + std::string(head.substr(0, head.find('\r'))));
    }
    constexpr std::string_view kName = "content-length:";
    for (size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
      const std::string_view line = head.substr(at + 2);
      const bool is_it =
          line.size() > kName.size() && strncasecmp(line.data(), kName.data(), kName.size()) == 0;
      if (is_it) return std::strtoull(line.data() + kName.size(), nullptr, 10);
    }
    die("a response without Content-Length");
  }

  ClientSockets sockets_;
  std::vector<Connection> connections_;
  size_t active_;
  bool use_tls_;
  const int timeout_ms_;
  Users users_;
  SSL_CTX* context_ = nullptr;
  Meter meter_;
  int epoll_ = make_epoll();
  Pattern pattern_;
  std::vector<std::string> requests_;
  size_t next_request_ = 0;
  std::vector<char> buffer_ = std::vector<char>(kBufferSize);
  uint64_t units_ = 0;
  uint64_t errors_ = 0;
  bool asks_again_ = true;
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  using namespace lb::bench;
  Options options(argc, argv);
  const std::string mode = options.text("mode", "rps");
  Load load(options, mode == "bulk");
  if (mode == "rps") {
    load.kept_connections(false);
  } else if (mode == "bulk") {
    load.kept_connections(true);
  } else if (mode == "close") {
    load.short_connections();
  } else if (mode == "idle") {
    load.idle();
  } else {
    die("--mode: rps, bulk, close or idle, not " + mode);
  }
}
