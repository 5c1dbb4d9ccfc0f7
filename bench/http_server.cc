// SPDX-License-Identifier: MIT
// The HTTP servers behind the proxies: one thread, one epoll, any number of consecutive ports. With
// --awake 1 it never sleeps.
// Connections are kept. A path that begins with /bulk gets as many bytes of the pattern as the
// number behind it says (GET /bulk/1000000), any other the pattern's first 64.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "pattern.h"
#include "port_server.h"

namespace lb::bench {
namespace {

constexpr size_t kBufferSize = 64 * 1024;
constexpr size_t kSendSize = 256 * 1024;
constexpr int kSendsPerTurn = 4;
constexpr size_t kSmallBody = Pattern::kShortestPiece;
constexpr std::string_view kBulk = "GET /bulk/";

struct Socket {
  int fd = -1;
  bool listening = false;
  std::string partial{};  // of a request's head
  std::string held{};     // refused by the client so far
  uint64_t offset = 0;    // of the body under way
  uint64_t left = 0;
  bool blocked = false;
};

std::string head_of(uint64_t length) {
  return "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
         "Content-Type: application/octet-stream\r\nContent-Length: " +
         std::to_string(length) + "\r\n\r\n";
}

class Server : public PortServer<Server, Socket> {
 public:
  Server(const sockaddr_in& first, unsigned ports, bool stays_awake)
      : PortServer(first, ports, stays_awake ? 0 : -1),
        small_(head_of(kSmallBody) + std::string(pattern_.at(0).data, kSmallBody)) {}

  bool serve(Socket& socket, uint32_t events) {
    if ((events & EPOLLERR) != 0) return false;
    if ((events & EPOLLOUT) != 0) return send_rest(socket);
    const ssize_t got = recv(socket.fd, buffer_.data(), kBufferSize, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    std::string_view text(buffer_.data(), static_cast<size_t>(got));
    if (!socket.partial.empty()) {
      socket.partial += text;
      text = socket.partial;
    }
    std::string answers;
    while (socket.left == 0) {
      const size_t end = text.find("\r\n\r\n");
      if (end == text.npos) break;
      answer(socket, text.substr(0, end), answers);
      text.remove_prefix(end + 4);
    }
    socket.partial = std::string(text);
    if (answers.empty()) return true;
    const ssize_t sent = send(socket.fd, answers.data(), answers.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    socket.held = answers.substr(static_cast<size_t>(std::max<ssize_t>(sent, 0)));
    return send_rest(socket);
  }

 private:
  void answer(Socket& socket, std::string_view request, std::string& answers) const {
    if (request.starts_with(kBulk)) {
      socket.left = std::strtoull(request.data() + kBulk.size(), nullptr, 10);
      socket.offset = 0;
      answers += head_of(socket.left);
    } else {
      answers += small_;
    }
  }

  bool send_rest(Socket& socket) {
    while (!socket.held.empty()) {
      const ssize_t sent = send(socket.fd, socket.held.data(), socket.held.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN && block(socket, true);
      socket.held.erase(0, static_cast<size_t>(sent));
    }
    for (int i = 0; i < kSendsPerTurn && socket.left > 0; ++i) {
      const Pattern::Piece piece = pattern_.at(socket.offset);
      const auto size = std::min(
          {static_cast<uint64_t>(piece.size), socket.left, static_cast<uint64_t>(kSendSize)});
      const ssize_t sent = send(socket.fd, piece.data, size, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN && block(socket, true);
      socket.offset += static_cast<uint64_t>(sent);
      socket.left -= static_cast<uint64_t>(sent);
    }
    return block(socket, socket.left > 0);
  }

  bool block(Socket& socket, bool blocked) {
    if (socket.blocked != blocked) {
      socket.blocked = blocked;
      wait_for(socket, blocked ? EPOLLOUT : EPOLLIN);
    }
    return true;
  }

  Pattern pattern_;
  std::string small_;
  std::vector<char> buffer_ = std::vector<char>(kBufferSize);
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  using namespace lb::bench;
  Options options(argc, argv);
  const sockaddr_in first = endpoint(options.text("listen", "127.0.0.1:6000"));
  const auto ports = static_cast<unsigned>(options.number("ports", 1));
  const bool stays_awake = options.number("awake", 0) != 0;
  options.finish();
  Server server(first, ports, stays_awake);
  server.run();
}
