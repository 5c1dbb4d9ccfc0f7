// SPDX-License-Identifier: MIT
#include "net/datagram_socket.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace lb {

namespace {

constexpr int kListenBuffer = 8 << 20;
constexpr int kManyBuffer = 1 << 20;

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

// Beyond net.core.rmem_max and wmem_max where the process may.
void set_buffer(int fd, int forced, int usual, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) == 0) return;
  set_option(fd, SOL_SOCKET, usual, bytes);
}

Unexpected<Error> fail_errno(const Address& address, const char* what) {
  int error = errno;
  std::string message = std::string(what) + " udp " + address.to_string() + ": " + strerror(error);
  if (error == EADDRINUSE) message += " (another process listens there)";
  if (error == EADDRNOTAVAIL) message += " (this machine has no such address)";
  if (error == EACCES && address.port() < 1024) {
    message += " (ports below 1024 need CAP_NET_BIND_SERVICE)";
  }
  return fail(message);
}

Fd datagram_socket(int family) {
  return Fd(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

Result<Fd> bound_socket(const Address& address, bool dual_stack, bool reuse_port) {
  Fd fd = datagram_socket(address.family());
  if (!fd) return fail_errno(address, "cannot open a socket for");
  if (address.is_ipv6()) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1);
  if (reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (bind(fd.get(), address.data(), address.length()) != 0) {
    return fail_errno(address, "cannot bind");
  }
  return fd;
}

}  // namespace

Result<Fd> listen_datagrams(const Address& address, const DatagramListenOptions& options) {
  auto fd = bound_socket(address, options.dual_stack, options.reuse_port);
  if (!fd) return fd;
  set_buffer(fd->get(), SO_RCVBUFFORCE, SO_RCVBUF, kListenBuffer);
  set_buffer(fd->get(), SO_SNDBUFFORCE, SO_SNDBUF, kListenBuffer);
  set_option(fd->get(), IPPROTO_UDP, UDP_GRO, 1);
  if (address.is_wildcard()) {
    set_option(fd->get(), IPPROTO_IP, IP_PKTINFO, 1);
    if (address.is_ipv6()) set_option(fd->get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  }
  return fd;
}

Result<Fd, int> connect_datagrams(const Address& server, const Address& local) {
  Fd fd = datagram_socket(server.family());
  if (!fd) return Unexpected{errno};
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(fd.get(), local.data(), local.length()) != 0) return Unexpected{errno};
  if (connect(fd.get(), server.data(), server.length()) != 0) return Unexpected{errno};
  return fd;
}

void expect_many_datagrams(int fd) {
  set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, kManyBuffer);
}

Endpoint4or6 Endpoint4or6::from(const void* name) {
  Endpoint4or6 endpoint;
  std::memcpy(&endpoint.v6, name, sizeof(endpoint.v6));
  return endpoint;
}

}  // namespace lb
