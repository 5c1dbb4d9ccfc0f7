// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <cstring>

#include "common/address.h"
#include "common/fd.h"
#include "common/result.h"

namespace lb {

// UDP sockets as this program wants them: non-blocking, close-on-exec. Any thread.

struct DatagramListenOptions {
  bool dual_stack = false;  // an IPv6 wildcard that takes IPv4 too
  bool reuse_port = false;  // one of a group that shares the port, by the client's address and port
};

// A socket that takes datagrams at `address`, with room for a burst of them. On a wildcard address
// each tells where it was sent to.
Result<Fd> listen_datagrams(const Address& address, const DatagramListenOptions& options);

// A socket of its own for one client's datagrams to `server`, from `local`, whose port may serve
// sockets to other servers too. What came from anybody else before it was connected is still in its
// queue. The error is an errno; EADDRINUSE: another process has this port for itself.
Result<Fd, int> connect_datagrams(const Address& server, const Address& local);

// For a socket on which much arrives: the kernel may hand over many datagrams of one size as one
// (UDP_GRO), and may keep more of them.
void expect_many_datagrams(int fd);

// An IP address and port without the size of an Address: what a datagram is sent to.
struct Endpoint4or6 {
  union {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };

  Endpoint4or6() : v6{} {}
  // The sockaddr that recvmsg(2) gave.
  static Endpoint4or6 from(const void* name);
  socklen_t length() const { return base.sa_family == AF_INET ? sizeof(v4) : sizeof(v6); }
};

// Which of this machine's addresses a datagram was sent to, and what answers to it must come from.
// family 0: the socket has but one.
struct LocalAddress {
  sa_family_t family = 0;
  uint32_t interface = 0;  // for link-local addresses
  in6_addr address{};      // of IPv4 the first four bytes

  friend bool operator==(const LocalAddress& a, const LocalAddress& b) {
    return a.family == b.family && a.interface == b.interface &&
           std::memcmp(&a.address, &b.address, sizeof(a.address)) == 0;
  }
};

}  // namespace lb
