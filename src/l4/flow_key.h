// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "common/address.h"
#include "net/datagrams.h"

namespace lb {

// What tells one flow of datagrams from all others: the client's address and port, where it sent
// to, and the socket that took it.
struct FlowKey {
  uint64_t high = 0;  // the client's address, IPv4 as IPv4-mapped IPv6
  uint64_t low = 0;
  uint32_t local = 0;   // a hash of the address sent to, on sockets that take several
  uint16_t port = 0;    // the client's
  uint16_t socket = 0;  // number of the listening socket

  static FlowKey of(const Arrival& arrival, uint16_t socket);
  // An IPv4 address or an IPv6 /64.
  uint64_t source() const { return high != 0 ? high : low; }
  // The same of a client that a PROXY header names.
  static uint64_t source_of(const Address& client);

  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

}  // namespace lb
