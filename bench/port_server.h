// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>

#include "sockets.h"

namespace lb::bench {

// Servers on consecutive ports: one thread, one epoll. `Socket` has the members `fd` and
// `listening`; Derived::serve(socket, events) says whether the connection goes on.
template <typename Derived, typename Socket>
class PortServer {
 public:
  // Says on standard output that it listens.
  [[noreturn]] void run() {
    std::puts("listening");
    std::fflush(stdout);
    for (;;) {
      for_each_event<Socket>(epoll_, timeout_ms_, [this](Socket& socket, uint32_t events) {
        if (socket.listening) {
          accept_some(socket);
        } else if (!static_cast<Derived*>(this)->serve(socket, events)) {
          close(socket.fd);
          delete &socket;  // a socket has one event a turn: nothing else points to it
        }
      });
    }
  }

 protected:
  // `timeout_ms`: how long it sleeps while nothing happens; -1 = until something does.
  explicit PortServer(const sockaddr_in& first, unsigned ports, int timeout_ms = -1)
      : timeout_ms_(timeout_ms) {
    for (unsigned i = 0; i < ports; ++i) add(listen_on(with_port_offset(first, i)), true);
  }

  // From now on the socket waits for these events.
  void wait_for(Socket& socket, uint32_t events) const {
    watch(epoll_, EPOLL_CTL_MOD, socket.fd, events, &socket);
  }

 private:
  void add(int fd, bool listening) {
    watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN, new Socket{.fd = fd, .listening = listening});
  }

  void accept_some(const Socket& listener) {
    for (int i = 0; i < 64; ++i) {
      const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      add(fd, false);
    }
  }

  const int timeout_ms_;
  int epoll_ = make_epoll();
};

}  // namespace lb::bench
