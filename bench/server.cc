// SPDX-License-Identifier: MIT
// The servers behind the proxies: one thread, one epoll, any number of consecutive ports.
//   echo    sends back what it gets
//   source  sends the pattern without end once the client has said anything
//   sink    reads and checks the pattern, and answers end of file with the number of good bytes
#include <algorithm>
#include <vector>

#include "pattern.h"
#include "port_server.h"

namespace lb::bench {
namespace {

constexpr size_t kBufferSize = 256 * 1024;
constexpr int kSendsPerTurn = 4;

enum class Mode { echo, source, sink };

struct Socket {
  int fd = -1;
  bool listening = false;
  uint64_t offset = 0;       // source, sink: bytes so far
  std::vector<char> held{};  // echo: refused by the client so far
};

class Server : public PortServer<Server, Socket> {
 public:
  Server(Mode mode, const sockaddr_in& first, unsigned ports)
      : PortServer(first, ports), mode_(mode) {}

  bool serve(Socket& socket, uint32_t events) {
    if ((events & EPOLLERR) != 0) return false;
    switch (mode_) {
      case Mode::echo:
        return echo(socket);
      case Mode::source:
        return feed(socket);
      case Mode::sink:
        return drain(socket);
    }
    return false;
  }

 private:
  bool echo(Socket& socket) {
    if (!socket.held.empty()) return echo_held(socket);
    const ssize_t got = recv(socket.fd, buffer_.data(), kBufferSize, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    ssize_t sent = send(socket.fd, buffer_.data(), static_cast<size_t>(got), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    sent = std::max<ssize_t>(sent, 0);
    if (sent < got) {
      socket.held.assign(buffer_.data() + sent, buffer_.data() + got);
      wait_for(socket, EPOLLOUT);
    }
    return true;
  }

  bool echo_held(Socket& socket) {
    const ssize_t sent = send(socket.fd, socket.held.data(), socket.held.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    socket.held.erase(socket.held.begin(), socket.held.begin() + sent);
    if (socket.held.empty()) wait_for(socket, EPOLLIN);
    return true;
  }

  bool begin_feed(Socket& socket) {
    if (recv(socket.fd, buffer_.data(), kBufferSize, 0) <= 0) return false;
    wait_for(socket, EPOLLOUT);
    return true;
  }

  bool feed(Socket& socket) {
    for (int i = 0; i < kSendsPerTurn; ++i) {
      const Pattern::Piece piece = pattern_.at(socket.offset);
      const ssize_t sent =
          send(socket.fd, piece.data, std::min(piece.size, kBufferSize), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      socket.offset += static_cast<uint64_t>(sent);
    }
    return true;
  }

  bool drain(Socket& socket) {
    const ssize_t got = recv(socket.fd, buffer_.data(), kBufferSize, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) {
      const uint64_t total = socket.offset;
      send(socket.fd, &total, sizeof total, MSG_NOSIGNAL);
      return false;
    }
    if (!pattern_.matches(socket.offset, buffer_.data(), static_cast<size_t>(got))) return false;
    socket.offset += static_cast<uint64_t>(got);
    return true;
  }

  Mode mode_;
  Pattern pattern_;
  std::vector<char> buffer_ = std::vector<char>(kBufferSize);
};

Mode parse_mode(const std::string& text) {
  if (text == "echo") return Mode::echo;
  if (text == "source") return Mode::source;
  if (text == "sink") return Mode::sink;
  die("--mode: echo, source or sink, not " + text);
}

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  using namespace lb::bench;
  Options options(argc, argv);
  const Mode mode = parse_mode(options.text("mode", "echo"));
  const sockaddr_in first = endpoint(options.text("listen", "127.0.0.1:6000"));
  const auto ports = static_cast<unsigned>(options.number("ports", 1));
  options.finish();
  Server server(mode, first, ports);
  server.run();
}
