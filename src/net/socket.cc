// SPDX-License-Identifier: MIT
#include "net/socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "net/descriptor_reserve.h"

namespace lb {

namespace {

Fd open_socket(int family, int type) {
  return unless_reserved(Fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
}

// What errno says of an address, and what its owner may do about it.
Unexpected<Error> fail_errno(const char* what, const Address& address) {
  int error = errno;
  std::string message = std::string(what) + " " + address.to_string() + ": " + strerror(error);
  if (error == EADDRINUSE) message += " (another process listens there)";
  if (error == EADDRNOTAVAIL) message += " (this machine has no such address)";
  if (error == EACCES && address.is_ip() && address.port() < 1024) {
    message += " (ports below 1024 need CAP_NET_BIND_SERVICE)";
  }
  return fail(message);
}

// A socket file outlives a process that was killed: nobody answers there, so it may go.
bool remove_dead_unix_socket(const Address& address) {
  std::string path(address.unix_path());
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  Fd fd = open_socket(AF_UNIX, SOCK_STREAM);
  if (!fd || connect(fd.get(), address.data(), address.length()) == 0) return false;
  return errno == ECONNREFUSED && unlink(path.c_str()) == 0;
}

}  // namespace

Result<Fd> bind_socket(const Address& address, int type, bool dual_stack, bool reuse_port) {
  bool is_stream = type == SOCK_STREAM;
  Fd fd = open_socket(address.family(), type);
  if (!fd)
    return fail_errno(is_stream ? "cannot open a socket for" : "cannot open a socket for udp",
                      address);
  if (is_stream && address.is_ip()) set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.is_ipv6()) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1);
  if (reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (bind(fd.get(), address.data(), address.length()) != 0) {
    return fail_errno(is_stream ? "cannot bind" : "cannot bind udp", address);
  }
  return fd;
}

Result<Fd> listen_stream(const Address& address, const ListenOptions& options) {
  if (address.is_unix()) remove_dead_unix_socket(address);
  auto fd =
      bind_socket(address, SOCK_STREAM, options.dual_stack, options.reuse_port && address.is_ip());
  if (!fd) return fd;
  if (address.is_ip()) {
    set_nodelay(fd->get());
    if (options.keepalive) set_keepalive(fd->get(), *options.keepalive);
  }
  // Before listen(2), until which nobody can connect.
  if (address.is_unix() && options.unix_mode &&
      chmod(std::string(address.unix_path()).c_str(), *options.unix_mode) != 0) {
    return fail_errno("cannot set the permissions of", address);
  }
  if (listen(fd->get(), static_cast<int>(options.backlog)) != 0) {
    return fail_errno("cannot listen on", address);
  }
  return fd;
}

void share_port(int fd) {
  set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

Result<Fd> reserve_address(const Address& address) {
  return bind_socket(address, SOCK_STREAM, false, false);
}

Status<> probe_free(const Address& address, bool dual_stack) {
  if (!address.is_ip()) return Done{};
  auto fd = bind_socket(address, SOCK_STREAM, dual_stack, false);
  if (!fd) return fail(fd.error().message);
  return Done{};
}

Result<Fd, int> connect_stream(const Address& server, const Address* source, bool data_follows) {
  Fd fd = open_socket(server.family(), SOCK_STREAM);
  if (!fd) return Unexpected{errno};
  if (source && source->family() == server.family()) {
    set_option(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd.get(), source->data(), source->length()) != 0) return Unexpected{errno};
  }
  if (data_follows && server.is_ip()) set_option(fd.get(), IPPROTO_TCP, TCP_QUICKACK, 0);
  if (connect(fd.get(), server.data(), server.length()) != 0 && errno != EINPROGRESS) {
    return Unexpected{errno};
  }
  return fd;
}

Result<Fd, int> connect_datagram(const Address& server, const Address* source) {
  Fd fd = open_socket(server.family(), SOCK_DGRAM);
  if (!fd) return Unexpected{errno};
  if (source && source->family() == server.family() &&
      bind(fd.get(), source->data(), source->length()) != 0) {
    return Unexpected{errno};
  }
  if (connect(fd.get(), server.data(), server.length()) != 0) return Unexpected{errno};
  return fd;
}

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

void set_nodelay(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void set_keepalive(int fd, const Keepalive& keepalive) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(keepalive.idle_s));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(keepalive.interval_s));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(keepalive.count));
  uint64_t timeout_ms =
      1000 * (keepalive.idle_s + uint64_t{keepalive.interval_s} * keepalive.count);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
             static_cast<int>(std::min<uint64_t>(timeout_ms, INT32_MAX)));
}

void clear_keepalive(int fd) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

void set_reset_on_close(int fd) {
  linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

bool lacks_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int connect_state(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  if (error != 0) return error;
  sockaddr_storage peer{};
  socklen_t peer_length = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0) return 0;
  return errno == ENOTCONN ? EINPROGRESS : errno;
}

size_t unsent_bytes(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

bool has_unread(int fd) {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

void discard_unread(int fd) {
  std::array<char, 16 * 1024> block;
  for (int i = 0; i < 4 && recv(fd, block.data(), block.size(), MSG_DONTWAIT) > 0; ++i) {
  }
}

bool peer_has_closed(int fd) {
  pollfd state{fd, POLLRDHUP, 0};
  return poll(&state, 1, 0) > 0;
}

Address local_address(int fd) {
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) != 0) return {};
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&local), length);
}

}  // namespace lb
