// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/address.h"

namespace lb {

// The PROXY protocol, versions 1 (text) and 2 (binary), as HAProxy's doc/proxy-protocol.txt (2020)
// defines it. Pure functions over bytes; any thread.

struct ProxyHeader {
  // Empty when the header carries none (v1 UNKNOWN, v2 LOCAL or AF_UNSPEC): the addresses of the
  // connection itself hold.
  Address source;
  Address destination;
};

struct ProxyParse {
  enum class State { complete, incomplete, invalid } state = State::invalid;
  size_t length = 0;  // of the header in bytes, when complete
  ProxyHeader header;
};

// A v1 line has at most 107 bytes; of v2 at most 4,096 bytes are taken (longer is invalid).
inline constexpr size_t kMaxProxyHeader = 4096;

// Reads the header at the start of `bytes`. Anything that cannot become a valid header is invalid
// at the first byte that shows it.
ProxyParse parse_proxy_header(std::string_view bytes);

// A header for a TCP connection. v1 writes UNKNOWN, v2 AF_UNSPEC, where source and destination are
// not both of one IP family (IPv4 beside IPv6 is written as IPv4-mapped IPv6); v2 writes unix
// paths.
std::string proxy_header_v1(const Address& source, const Address& destination);
std::string proxy_header_v2(const Address& source, const Address& destination);

// The v2 header of a datagram, in front of its own bytes.
class DatagramProxyHeader {
 public:
  DatagramProxyHeader(const Address& source, const Address& destination);
  std::string_view bytes() const { return {bytes_, size_}; }

 private:
  char bytes_[52];  // with two IPv6 addresses
  size_t size_;
};

// Reads the v2 header that a datagram begins with, complete or invalid. v1 is for streams only.
ProxyParse parse_datagram_proxy_header(std::string_view datagram);
// Whether it begins as such a header does.
bool starts_as_proxy_v2(std::string_view datagram);

}  // namespace lb
