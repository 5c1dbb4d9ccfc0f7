// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace lb {

// A numeric socket address: IPv4, IPv6 or a unix path. Plain data, comparable, no name look-ups.
// IPv4-mapped IPv6 becomes IPv4 wherever an Address is made (RFC 4291, 2.5.5.2), so that one client
// has one address on dual-stack sockets. A link-local IPv6 address has its interface, its zone,
// with it (RFC 4007).
class Address {
 public:
  Address() = default;

  // "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80" or "unix:/run/x.sock". The port is 0–65535 and
  // required but for unix; a unix path is 1–107 bytes. Host names are an error.
  static Result<Address> parse(std::string_view text);
  // "1.2.3.4", "::1" or "[::1]", with the port given apart.
  static Result<Address> parse_ip(std::string_view ip, uint16_t port);
  // What the kernel gives. Empty when `addr` is too short for its family or of another family.
  static Address from_sockaddr(const sockaddr* addr, socklen_t length);
  static Address any_v4(uint16_t port);
  static Address any_v6(uint16_t port);

  int family() const { return storage_.base.sa_family; }
  bool is_ipv4() const { return family() == AF_INET; }
  bool is_ipv6() const { return family() == AF_INET6; }
  bool is_ip() const { return is_ipv4() || is_ipv6(); }
  bool is_unix() const { return family() == AF_UNIX; }
  bool empty() const { return family() == AF_UNSPEC; }
  bool is_wildcard() const;  // 0.0.0.0 or ::
  bool is_loopback() const;  // 127.0.0.0/8 or ::1

  uint16_t port() const;  // 0 for unix
  void set_port(uint16_t port);
  // Empty for an unnamed socket; an abstract name begins with a NUL byte.
  std::string_view unix_path() const;

  // The address in network byte order: 4 bytes of IPv4, 16 of IPv6, the path of unix.
  std::string_view bytes() const;

  const sockaddr* data() const { return &storage_.base; }
  socklen_t length() const { return length_; }

  // As parse() reads it back, but for unnamed ("unix:") and abstract unix sockets ("unix:@name");
  // "" when empty.
  std::string to_string() const;
  // Without port, and for IPv6 without brackets and zone.
  std::string ip_string() const;

  friend bool operator==(const Address& a, const Address& b);
  // By family, bytes, port and zone: for sorting, IPv4 before IPv6.
  friend std::strong_ordering operator<=>(const Address& a, const Address& b);

 private:
  static Result<Address> parse_unix(std::string_view path);
  static Address from_v4(const sockaddr_in& v4);
  static Address from_v6(const sockaddr_in6& v6);
  uint32_t zone() const { return is_ipv6() ? storage_.v6.sin6_scope_id : 0; }
  static Address from_unix(const sockaddr_un* local, socklen_t length);

  union Storage {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
    Storage() : local{} {}
  } storage_;
  socklen_t length_ = 0;
};

}  // namespace lb
