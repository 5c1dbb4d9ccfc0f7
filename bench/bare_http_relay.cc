// SPDX-License-Identifier: MIT
// The floor of HTTP: passes each request to a kept connection of a server and its answer back,
// reading neither. One read is one message, as in the bench; nothing else would work. Raw epoll,
// one thread.
#include <memory>
#include <vector>

#include "sockets.h"

namespace lb::bench {
namespace {

constexpr size_t kScratchSize = 64 * 1024;
constexpr int kAcceptsPerTurn = 64;

// A client's connection, or a server's.
struct End {
  int fd = -1;
  bool is_client = false;
  bool watched = false;
  End* other = nullptr;  // while a request is under way
};

class HttpRelay {
 public:
  HttpRelay(const sockaddr_in& listen, const sockaddr_in& server, unsigned ports)
      : acceptor_{.fd = listen_on(listen)}, server_(server), ports_(ports) {
    begin_watch(acceptor_);
  }

  [[noreturn]] void run() {
    for (;;) {
      for_each_event<End>(epoll_, -1, [this](End& end, uint32_t) {
        if (&end == &acceptor_) return accept_some();
        if (end.fd >= 0) on_readable(end);
      });
      finished_.clear();  // not earlier: later events of this turn may point into them
    }
  }

 private:
  void accept_some() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      const int fd = accept4(acceptor_.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      auto* client = new End{.fd = fd, .is_client = true};
      on_readable(*client);  // it speaks first
      if (client->fd >= 0 && client->other == nullptr) begin_watch(*client);
    }
  }

  void begin_watch(End& end) {
    if (end.watched) return;
    end.watched = true;
    watch(epoll_, EPOLL_CTL_ADD, end.fd, EPOLLIN, &end);
  }

  void on_readable(End& end) {
    const ssize_t got = recv(end.fd, scratch_.data(), kScratchSize, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return over(end);
    if (end.is_client && end.other == nullptr) {
      end.other = take_server();
      end.other->other = &end;
    }
    if (end.other == nullptr) die("an answer that nobody waits for");
    if (send(end.other->fd, scratch_.data(), static_cast<size_t>(got), MSG_NOSIGNAL) != got) {
      die("a message that does not go out at once");
    }
    if (end.is_client) return;
    End& client = *end.other;
    client.other = end.other = nullptr;
    idle_.push_back(&end);
    begin_watch(client);
  }

  // The connection used last, as balancers do it.
  End* take_server() {
    if (!idle_.empty()) {
      End* kept = idle_.back();
      idle_.pop_back();
      return kept;
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die_errno("socket");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    const sockaddr_in to = with_port_offset(server_, next_++ % ports_);
    if (connect(fd, as_sockaddr(to), sizeof to) != 0) die_errno("connect");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die_errno("fcntl");
    auto* server = new End{.fd = fd};
    begin_watch(*server);
    return server;
  }

  void over(End& end) {
    if (!end.is_client || end.other != nullptr) die("a connection that ends too early");
    close(end.fd);
    end.fd = -1;
    finished_.emplace_back(&end);
  }

  int epoll_ = make_epoll();
  End acceptor_;
  sockaddr_in server_;
  unsigned ports_;
  unsigned next_ = 0;
  std::vector<char> scratch_ = std::vector<char>(kScratchSize);
  std::vector<End*> idle_;
  std::vector<std::unique_ptr<End>> finished_;
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  lb::bench::run_relay<lb::bench::HttpRelay>(argc, argv);
}
