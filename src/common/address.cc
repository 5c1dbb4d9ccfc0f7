// SPDX-License-Identifier: MIT
#include "common/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace lb {

namespace {

Result<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || status != std::errc() || end != text.data() + text.size()) {
    return fail("'" + std::string(text) + "' is not a port (0-65535)");
  }
  return port;
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with("unix:")) {
    std::string_view path = text.substr(5);
    Address address;
    if (path.empty() || path.size() >= sizeof(address.storage_.local.sun_path)) {
      return fail("a unix socket path has 1 to 107 bytes");
    }
    address.storage_.local.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.storage_.local.sun_path);
    address.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
  }
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail("'" + std::string(text) + "' has no port");
  auto port = parse_port(text.substr(colon + 1));
  if (!port) return fail(port.error().message);
  std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !host.starts_with('[')) {
    return fail("an IPv6 address with a port is written [address]:port");
  }
  return parse_ip(host, *port);
}

Result<Address> Address::parse_ip(std::string_view ip, uint16_t port) {
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']') ip = ip.substr(1, ip.size() - 2);
  std::string text(ip);
  sockaddr_in v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return from_sockaddr(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
  }
  return fail("'" + text + "' is not an IPv4 or IPv6 address");
}

Address Address::from_sockaddr(const sockaddr* addr, socklen_t length) {
  Address address;
  if (length < sizeof(sa_family_t)) return address;
  if (addr->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(addr);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      address.storage_.v4.sin_family = AF_INET;
      address.storage_.v4.sin_port = v6->sin6_port;
      std::memcpy(&address.storage_.v4.sin_addr, &v6->sin6_addr.s6_addr[12], 4);
      address.length_ = sizeof(sockaddr_in);
      return address;
    }
  }
  address.length_ = std::min<socklen_t>(length, sizeof(address.storage_));
  std::memcpy(static_cast<void*>(&address.storage_), addr, address.length_);
  return address;
}

Address Address::any_v4(uint16_t port) {
  Address address;
  address.storage_.v4.sin_family = AF_INET;
  address.storage_.v4.sin_port = htons(port);
  address.length_ = sizeof(sockaddr_in);
  return address;
}

Address Address::any_v6(uint16_t port) {
  Address address;
  address.storage_.v6.sin6_family = AF_INET6;
  address.storage_.v6.sin6_port = htons(port);
  address.length_ = sizeof(sockaddr_in6);
  return address;
}

bool Address::is_wildcard() const {
  if (is_ipv4()) return storage_.v4.sin_addr.s_addr == htonl(INADDR_ANY);
  return is_ipv6() && IN6_IS_ADDR_UNSPECIFIED(&storage_.v6.sin6_addr);
}

bool Address::is_loopback() const {
  if (is_ipv4()) return ntohl(storage_.v4.sin_addr.s_addr) >> 24 == 127;
  return is_ipv6() && IN6_IS_ADDR_LOOPBACK(&storage_.v6.sin6_addr);
}

uint16_t Address::port() const {
  if (is_ipv4()) return ntohs(storage_.v4.sin_port);
  if (is_ipv6()) return ntohs(storage_.v6.sin6_port);
  return 0;
}

void Address::set_port(uint16_t port) {
  if (is_ipv4()) storage_.v4.sin_port = htons(port);
  if (is_ipv6()) storage_.v6.sin6_port = htons(port);
}

std::string_view Address::unix_path() const {
  if (!is_unix()) return {};
  size_t capacity = length_ - offsetof(sockaddr_un, sun_path);
  return {storage_.local.sun_path, strnlen(storage_.local.sun_path, capacity)};
}

std::string_view Address::bytes() const {
  if (is_ipv4()) return {reinterpret_cast<const char*>(&storage_.v4.sin_addr), 4};
  if (is_ipv6()) return {reinterpret_cast<const char*>(&storage_.v6.sin6_addr), 16};
  return unix_path();
}

std::string Address::ip_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_ipv4()) inet_ntop(AF_INET, &storage_.v4.sin_addr, text, sizeof(text));
  if (is_ipv6()) inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text, sizeof(text));
  return text;
}

std::string Address::to_string() const {
  if (is_unix()) return "unix:" + std::string(unix_path());
  if (is_ipv4()) return ip_string() + ":" + std::to_string(port());
  if (is_ipv6()) return "[" + ip_string() + "]:" + std::to_string(port());
  return "";
}

bool operator==(const Address& a, const Address& b) {
  return a.family() == b.family() && a.port() == b.port() && a.bytes() == b.bytes();
}

}  // namespace lb
