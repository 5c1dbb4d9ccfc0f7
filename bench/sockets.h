// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "options.h"

namespace lb::bench {

[[noreturn]] inline void die_errno(const std::string& what) {
  die(what + ": " + std::strerror(errno));
}

// "127.0.0.1:7000"
inline sockaddr_in endpoint(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) die("not address:port: " + text);
  const unsigned long port = std::strtoul(text.c_str() + colon + 1, nullptr, 10);
  if (port == 0 || port > 65535 ||
      inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    die("not address:port: " + text);
  }
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

inline sockaddr_in with_port_offset(sockaddr_in address, unsigned offset) {
  address.sin_port = htons(static_cast<uint16_t>(ntohs(address.sin_port) + offset));
  return address;
}

inline const sockaddr* as_sockaddr(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

inline void set_option(int fd, int level, int option, int value) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) die_errno("setsockopt");
}

// Accepted sockets inherit TCP_NODELAY.
inline int listen_on(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die_errno("socket");
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (bind(fd, as_sockaddr(address), sizeof address) != 0) die_errno("bind");
  if (listen(fd, 4096) != 0) die_errno("listen");
  return fd;
}

inline int make_epoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) die_errno("epoll_create1");
  return fd;
}

inline void watch(int epoll, int operation, int fd, uint32_t events, void* owner) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = owner;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) die_errno("epoll_ctl");
}

// One turn: what has happened is handled one by one; its owner is what watch() was given. Timeout
// 0: whoever calls this again and again never sleeps, and lets others on its CPU run instead.
template <typename Owner, typename Handler>
void for_each_event(int epoll, int timeout_ms, Handler handle) {
  epoll_event events[256];
  const int count = epoll_wait(epoll, events, 256, timeout_ms);
  if (count == 0 && timeout_ms == 0) sched_yield();
  for (int i = 0; i < count; ++i)
    handle(*static_cast<Owner*>(events[i].data.ptr), events[i].events);
}

// Clients' sockets to one target. With several `sources` they have addresses in turn, 127.1.0.1 and
// up, so that local ports in TIME_WAIT do not run out.
class ClientSockets {
 public:
  explicit ClientSockets(Options& options)
      : target_(endpoint(options.text("target", "127.0.0.1:7000"))),
        sources_(static_cast<uint32_t>(options.number("sources", 1))) {}

  // Blocking: it is connected.
  int connected() { return open(0); }
  // The connect may be under way; over loopback it is through.
  int connecting() { return open(SOCK_NONBLOCK); }

 private:
  int open(int flags) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0) die_errno("socket");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (sources_ > 1) {
      sockaddr_in source{};
      source.sin_family = AF_INET;
      source.sin_addr.s_addr = htonl(0x7F010001 + next_source_++ % sources_);
      set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
      if (bind(fd, as_sockaddr(source), sizeof source) != 0) die_errno("bind");
    }
    const bool connects = connect(fd, as_sockaddr(target_), sizeof target_) == 0;
    if (!connects && (flags == 0 || errno != EINPROGRESS)) die_errno("connect");
    return fd;
  }

  const sockaddr_in target_;
  const uint32_t sources_;
  uint32_t next_source_ = 0;
};

inline void set_nonblocking(int fd) {
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) die_errno("fcntl");
}

// The whole of a bare relay's command line, and its run.
template <typename Relay>
[[noreturn]] void run_relay(int argc, char** argv) {
  Options options(argc, argv);
  const sockaddr_in listen = endpoint(options.text("listen", "127.0.0.1:7000"));
  const sockaddr_in server = endpoint(options.text("to", "127.0.0.1:6000"));
  const auto ports = static_cast<unsigned>(options.number("ports", 1));  // consecutive, in turn
  options.finish();
  Relay(listen, server, ports).run();
}

}  // namespace lb::bench
