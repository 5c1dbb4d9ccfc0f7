// SPDX-License-Identifier: MIT
#include "net/datagram_socket.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/descriptor_reserve.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr int kListenBuffer = 8 << 20;
constexpr int kManyBuffer = 1 << 20;

// Beyond net.core.rmem_max and wmem_max where the process may.
void set_buffer(int fd, int forced, int usual, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) == 0) return;
  set_option(fd, SOL_SOCKET, usual, bytes);
}

}  // namespace

Result<Fd> listen_datagrams(const Address& address, const DatagramListenOptions& options) {
  auto fd = bind_socket(address, SOCK_DGRAM, options.dual_stack, options.reuse_port);
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
  Fd fd =
      unless_reserved(Fd(socket(server.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
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
