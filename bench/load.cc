// SPDX-License-Identifier: MIT
// The clients in front of the proxies: one thread, one epoll. One mode a run:
//   rr      64 bytes there and back on open connections; a unit is a round trip
//   conn    connect, 64 bytes there and back, close; a unit is a connection
//   bulk    ask for the servers' stream and read it; a unit is a byte
//   upload  send the stream, end it, compare the server's count; a unit is a byte
//   idle    one exchange on each connection, then hold them until standard input ends
// Every answer is compared with what must have come; a wrong byte ends the run with an error.
#include <algorithm>
#include <vector>

#include "meter.h"
#include "pattern.h"

namespace lb::bench {
namespace {

constexpr size_t kMessageSize = Pattern::kShortestPiece;
constexpr size_t kBufferSize = 256 * 1024;
constexpr size_t kSampleSize = 64;  // compared of each read of a stream in the steady phase
constexpr int kMaxErrors = 100;

struct Connection {
  int fd = -1;
  uint64_t offset = 0;  // of the message under way, or of the stream
  size_t sent = 0;
  size_t got = 0;
};

class Load {
 public:
  explicit Load(Options& options)
      : sockets_(options), connections_(options.number("connections", 64)), meter_(options) {
    options.finish();
    for (size_t i = 0; i < connections_.size(); ++i) connections_[i].offset = i * 7919;
  }

  void round_trips() {
    open_all();
    for (Connection& connection : connections_) {
      watch(epoll_, EPOLL_CTL_ADD, connection.fd, EPOLLIN, &connection);
      if (!send_message(connection)) die_errno("send");
    }
    while (meter_.running(units_)) {
      for_each_event([this](Connection& connection, uint32_t) {
        if (!receive_message(connection)) die("a connection ended in the middle of an exchange");
        if (connection.got < kMessageSize) return;
        ++units_;
        begin_message(connection);
        if (!send_message(connection)) die_errno("send");
      });
    }
    meter_.print(units_, errors_);
  }

  void short_connections() {
    for (Connection& connection : connections_) reopen(connection);
    while (meter_.running(units_)) {
      for_each_event([this](Connection& connection, uint32_t events) {
        if ((events & EPOLLOUT) != 0 && connection.sent == 0) {
          if (!send_message(connection)) return fail(connection);
          watch(epoll_, EPOLL_CTL_MOD, connection.fd, EPOLLIN, &connection);
          return;
        }
        if (!receive_message(connection)) return fail(connection);
        if (connection.got < kMessageSize) return;
        ++units_;
        close(connection.fd);
        reopen(connection);
      });
    }
    meter_.print(units_, errors_);
  }

  void bulk() {
    open_all();
    for (Connection& connection : connections_) {
      if (!send_message(connection)) die_errno("send");
      connection.offset = 0;
      watch(epoll_, EPOLL_CTL_ADD, connection.fd, EPOLLIN, &connection);
    }
    while (meter_.running(units_)) {
      for_each_event([this](Connection& connection, uint32_t) {
        const ssize_t got = recv(connection.fd, buffer_.data(), kBufferSize, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) die("a stream ended");
        const auto size = static_cast<size_t>(got);
        check(connection.offset, meter_.steady() ? std::min(size, kSampleSize) : size);
        connection.offset += size;
        units_ += size;
      });
    }
    meter_.print(units_, errors_);
  }

  void upload() {
    open_all();
    for (Connection& connection : connections_) {
      connection.offset = 0;
      watch(epoll_, EPOLL_CTL_ADD, connection.fd, EPOLLOUT, &connection);
    }
    while (meter_.running(units_)) {
      for_each_event([this](Connection& connection, uint32_t) {
        const Pattern::Piece piece = pattern_.at(connection.offset);
        const ssize_t sent =
            send(connection.fd, piece.data, std::min(piece.size, kBufferSize), MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) die_errno("send");
        connection.offset += static_cast<uint64_t>(sent);
        units_ += static_cast<uint64_t>(sent);
      });
    }
    for (const Connection& connection : connections_) finish_upload(connection);
    meter_.print(units_, errors_);
  }

  void idle() {
    for (Connection& connection : connections_) {
      connection.fd = sockets_.connected();
      if (!send_message(connection)) die_errno("send");
      while (connection.got < kMessageSize) {
        if (!receive_message(connection)) die("a connection ended before its answer");
      }
    }
    std::printf("{\"held\": %zu}\n", connections_.size());
    std::fflush(stdout);
    alarm(0);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
  }

 private:
  template <typename Handler>
  void for_each_event(Handler handle) {
    bench::for_each_event<Connection>(epoll_, 100, handle);
  }

  void open_all() {
    for (Connection& connection : connections_) {
      connection.fd = sockets_.connected();
      set_nonblocking(connection.fd);
    }
  }

  // The request is sent at once: over loopback the connection stands when connect() returns.
  void reopen(Connection& connection) {
    connection.fd = sockets_.connecting();
    begin_message(connection);
    const bool sent = send_message(connection);
    watch(epoll_, EPOLL_CTL_ADD, connection.fd, sent ? EPOLLIN : EPOLLOUT, &connection);
  }

  void fail(Connection& connection) {
    if (++errors_ > kMaxErrors) die("too many failed connections");
    close(connection.fd);
    reopen(connection);
  }

  static void begin_message(Connection& connection) {
    connection.offset += kMessageSize;
    connection.sent = connection.got = 0;
  }

  bool send_message(Connection& connection) {
    const char* message = pattern_.at(connection.offset).data;
    const ssize_t sent = send(connection.fd, message, kMessageSize, MSG_NOSIGNAL);
    if (sent < 0) return false;
    if (static_cast<size_t>(sent) != kMessageSize) die("a message was sent in part");
    connection.sent = kMessageSize;
    return true;
  }

  // False at the end of the connection.
  bool receive_message(Connection& connection) {
    const ssize_t got = recv(connection.fd, buffer_.data(), kMessageSize - connection.got, 0);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    check(connection.offset + connection.got, static_cast<size_t>(got));
    connection.got += static_cast<size_t>(got);
    return true;
  }

  void check(uint64_t offset, size_t size) const {
    if (!pattern_.matches(offset, buffer_.data(), size)) die("wrong bytes came back");
  }

  void finish_upload(const Connection& connection) {
    const int flags = fcntl(connection.fd, F_GETFL);
    fcntl(connection.fd, F_SETFL, flags & ~O_NONBLOCK);
    shutdown(connection.fd, SHUT_WR);
    uint64_t total = 0;
    if (recv(connection.fd, &total, sizeof total, MSG_WAITALL) != sizeof total) {
      die("no count came back after the end of a stream");
    }
    if (total != connection.offset) die("the server got another number of bytes than were sent");
  }

  ClientSockets sockets_;
  std::vector<Connection> connections_;
  Meter meter_;
  int epoll_ = make_epoll();
  Pattern pattern_;
  std::vector<char> buffer_ = std::vector<char>(kBufferSize);
  uint64_t units_ = 0;
  uint64_t errors_ = 0;
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  using namespace lb::bench;
  Options options(argc, argv);
  const std::string mode = options.text("mode", "rr");
  Load load(options);
  if (mode == "rr") {
    load.round_trips();
  } else if (mode == "conn") {
    load.short_connections();
  } else if (mode == "bulk") {
    load.bulk();
  } else if (mode == "upload") {
    load.upload();
  } else if (mode == "idle") {
    load.idle();
  } else {
    die("--mode: rr, conn, bulk, upload or idle, not " + mode);
  }
}
