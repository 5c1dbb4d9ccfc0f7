// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/hash.h"
#include "net/event_loop.h"
#include "net/socket.h"

namespace lb {

// Runs turns until `done()`; false when that takes longer than `limit`.
template <typename Done>
bool run_until(EventLoop& loop, Done done,
               std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  constexpr std::chrono::milliseconds kTick(1);
  int64_t end_ms = monotonic_ms() + limit.count();
  Timer tick(loop, [&tick, kTick] { tick.start(kTick); });
  tick.start(kTick);
  while (!done()) {
    if (monotonic_ms() >= end_ms) return false;
    loop.run_turn();
  }
  return true;
}

// For what must not happen: false when it does. Takes some turns, however little of the time a busy
// machine leaves for them: what has happened by then is seen.
template <typename Happens>
bool stays_away(EventLoop& loop, Happens happens, std::chrono::milliseconds how_long) {
  constexpr int kTurns = 10;
  int64_t end_ms = monotonic_ms() + how_long.count();
  bool has_happened = false;
  int turns = 0;
  bool is_over = run_until(loop, [&] {
    has_happened = happens();
    return has_happened || (++turns > kTurns && monotonic_ms() >= end_ms);
  });
  return is_over && !has_happened;
}

inline bool wait_readable(int fd, int timeout_ms = 20'000) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, timeout_ms) == 1;
}

// A listening TCP socket on a port of the kernel's choice.
class Listening {
 public:
  explicit Listening(const char* ip = "127.0.0.1", uint32_t backlog = 1024)
      : fd_(listen_stream(*Address::parse_ip(ip, 0), {.backlog = backlog}).value()),
        address_(local_address(fd_.get())) {}

  int fd() const { return fd_.get(); }
  const Address& address() const { return address_; }
  // The next connection; waits for it.
  Fd accept() const {
    if (!wait_readable(fd())) throw std::runtime_error("nobody connects");
    return try_accept();
  }
  Fd try_accept() const {
    return Fd(::accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }

 private:
  Fd fd_;
  Address address_;
};

// An address of this machine at which nobody listens.
inline Address refusing_address() {
  // Kept for the process's life: a test beside this one must not listen there.
  static std::vector<Fd> reserved;
  reserved.push_back(reserve_address(*Address::parse("127.0.0.1:0")).value());
  return local_address(reserved.back().get());
}

inline Fd connect_to(const Address& address) {
  auto fd = connect_stream(address, nullptr);
  if (!fd) throw std::runtime_error("cannot connect to " + address.to_string());
  return std::move(*fd);
}

// Two ends of one TCP connection, non-blocking.
inline std::pair<Fd, Fd> tcp_pair() {
  Listening listening;
  Fd connected = connect_to(listening.address());
  Fd accepted = listening.accept();
  return {std::move(connected), std::move(accepted)};
}

inline std::pair<Fd, Fd> unix_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::runtime_error("no socketpair");
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

// Bytes that are the same nowhere.
inline std::string pattern(size_t size, uint64_t seed = 1) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = mix64(seed + i);
    std::memcpy(bytes.data() + i, &word, std::min<size_t>(8, size - i));
  }
  return bytes;
}

// Sends as much as the socket takes; how much that was.
inline size_t send_some(int fd, std::string_view bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    ssize_t now = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (now <= 0) break;
    sent += static_cast<size_t>(now);
  }
  return sent;
}

// Appends what has arrived. The last recv(2)'s result: 0 at the end of the stream, else -errno.
inline int receive(int fd, std::string& bytes, size_t most = SIZE_MAX) {
  char buffer[16'384];
  while (most > 0) {
    ssize_t got = recv(fd, buffer, std::min(most, sizeof(buffer)), MSG_DONTWAIT);
    if (got < 0) return -errno;
    if (got == 0) return 0;
    bytes.append(buffer, static_cast<size_t>(got));
    most -= static_cast<size_t>(got);
  }
  return -EAGAIN;
}

inline int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof(value);
  getsockopt(fd, level, name, &value, &length);
  return value;
}

// The number that what is opened next will have.
inline int lowest_free_descriptor() {
  int lowest = dup(0);
  close(lowest);
  return lowest;
}

// While it lives, this process gets no new descriptor. The undefined behaviour sanitizer wants one
// to look at an object's type for the first time: do once before what is tested.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now{.rlim_cur = static_cast<rlim_t>(lowest_free_descriptor()),
               .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace lb
