// SPDX-License-Identifier: MIT
#include "common/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <iterator>

namespace lb {

namespace {

constexpr size_t kUnixPathAt = offsetof(sockaddr_un, sun_path);

// inet_pton and sun_path end at a NUL and would not see what follows.
bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

Result<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
  bool whole = status == std::errc() && end == text.data() + text.size();
  bool leading_zero = text.size() > 1 && text.front() == '0';
  if (!whole || leading_zero) return fail("'" + std::string(text) + "' is not a port (0-65535)");
  return port;
}

// The interface of a link-local IPv6 address, by name or number; 0 = there is none.
uint32_t parse_zone(const std::string& zone) {
  uint32_t index = 0;
  auto [end, status] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
  if (status == std::errc() && end == zone.data() + zone.size()) return index;
  return if_nametoindex(zone.c_str());
}

bool has_zone(const in6_addr& ip) {
  return IN6_IS_ADDR_LINKLOCAL(&ip) || IN6_IS_ADDR_MC_LINKLOCAL(&ip);
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) {
    return fail("'" + std::string(text) + "' has no port");
  }
  auto port = parse_port(text.substr(colon + 1));
  if (!port) return fail(port.error().message);
  std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !host.starts_with('[')) {
    return fail("an IPv6 address with a port is written [address]:port");
  }
  return parse_ip(host, *port);
}

Result<Address> Address::parse_unix(std::string_view path) {
  Address address;
  sockaddr_un& local = address.storage_.local;
  if (path.empty() || path.size() >= sizeof(local.sun_path) || has_nul(path)) {
    return fail("a unix socket path has 1 to 107 bytes, none of them NUL");
  }
  local.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), local.sun_path);
  address.length_ = static_cast<socklen_t>(kUnixPathAt + path.size() + 1);
  return address;
}

Result<Address> Address::parse_ip(std::string_view ip, uint16_t port) {
  auto invalid = fail("'" + std::string(ip) + "' is not an IPv4 or IPv6 address");
  if (has_nul(ip)) return invalid;
  bool brackets = ip.size() >= 2 && ip.front() == '[' && ip.back() == ']';
  if (brackets) ip = ip.substr(1, ip.size() - 2);
  sockaddr_in v4{};
  if (!brackets && inet_pton(AF_INET, std::string(ip).c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return from_sockaddr(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
  }
  size_t percent = ip.find('%');
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (inet_pton(AF_INET6, std::string(ip.substr(0, percent)).c_str(), &v6.sin6_addr) != 1) {
    return invalid;
  }
  if (percent != std::string_view::npos) {
    std::string zone(ip.substr(percent + 1));
    if (!has_zone(v6.sin6_addr))
      return fail("only a link-local IPv6 address takes '%" + zone + "'");
    v6.sin6_scope_id = parse_zone(zone);
    if (v6.sin6_scope_id == 0) return fail("'" + zone + "' is no network interface");
  }
  return from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
}

Address Address::from_sockaddr(const sockaddr* addr, socklen_t length) {
  if (addr == nullptr || length < sizeof(sa_family_t)) return {};
  switch (addr->sa_family) {
    case AF_INET:
      if (length < sizeof(sockaddr_in)) return {};
      return from_v4(*reinterpret_cast<const sockaddr_in*>(addr));
    case AF_INET6:
      if (length < sizeof(sockaddr_in6)) return {};
      return from_v6(*reinterpret_cast<const sockaddr_in6*>(addr));
    case AF_UNIX:
      return from_unix(reinterpret_cast<const sockaddr_un*>(addr), length);
    default:
      return {};
  }
}

Address Address::from_v4(const sockaddr_in& v4) {
  Address address = any_v4(ntohs(v4.sin_port));
  address.storage_.v4.sin_addr = v4.sin_addr;
  return address;
}

Address Address::from_v6(const sockaddr_in6& v6) {
  uint16_t port = ntohs(v6.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    Address address = any_v4(port);
    std::memcpy(&address.storage_.v4.sin_addr, &v6.sin6_addr.s6_addr[12], 4);
    return address;
  }
  // The flow label is of one connection, and the zone means nothing beyond link-local.
  Address address = any_v6(port);
  address.storage_.v6.sin6_addr = v6.sin6_addr;
  address.storage_.v6.sin6_scope_id = has_zone(v6.sin6_addr) ? v6.sin6_scope_id : 0;
  return address;
}

// An unnamed socket, what a unix client usually is, has the family alone. A path may fill sun_path
// without a NUL, and the kernel then counts one byte more than sockaddr_un has. An abstract name
// begins with a NUL and is as long as `length` says.
Address Address::from_unix(const sockaddr_un* local, socklen_t length) {
  Address address;
  address.storage_.local.sun_family = AF_UNIX;
  address.length_ = sizeof(sa_family_t);
  if (length <= kUnixPathAt) return address;
  size_t capacity = std::min<size_t>(length, sizeof(sockaddr_un)) - kUnixPathAt;
  bool abstract = local->sun_path[0] == '\0';
  size_t size = abstract ? capacity : strnlen(local->sun_path, capacity);
  std::memcpy(address.storage_.local.sun_path, local->sun_path, size);
  bool room_for_nul = !abstract && size < sizeof(local->sun_path);
  address.length_ = static_cast<socklen_t>(kUnixPathAt + size + (room_for_nul ? 1 : 0));
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
  const char* path = storage_.local.sun_path;
  size_t capacity = length_ - kUnixPathAt;
  bool abstract = capacity > 0 && path[0] == '\0';
  return {path, abstract ? capacity : strnlen(path, capacity)};
}

std::string_view Address::bytes() const {
  if (is_ipv4()) return {reinterpret_cast<const char*>(&storage_.v4.sin_addr), 4};
  if (is_ipv6()) return {reinterpret_cast<const char*>(&storage_.v6.sin6_addr), 16};
  return unix_path();
}

std::string Address::ip_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_ipv4()) {  // each request has one in its fields, and inet_ntop() goes by printf
    char* at = text;
    for (char byte : bytes()) {
      if (at != text) *at++ = '.';
      at = std::to_chars(at, std::end(text), static_cast<uint8_t>(byte)).ptr;
    }
  }
  if (is_ipv6()) inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text, sizeof(text));
  return text;
}

std::string Address::to_string() const {
  if (is_unix()) {
    std::string path(unix_path());
    std::replace(path.begin(), path.end(), '\0', '@');
    return "unix:" + path;
  }
  if (is_ipv4()) return ip_string() + ":" + std::to_string(port());
  if (!is_ipv6()) return "";
  uint32_t zone = storage_.v6.sin6_scope_id;
  return "[" + ip_string() + (zone ? "%" + std::to_string(zone) : "") +
         "]:" + std::to_string(port());
}

bool operator==(const Address& a, const Address& b) {
  return std::is_eq(a <=> b);
}

std::strong_ordering operator<=>(const Address& a, const Address& b) {
  if (auto order = a.family() <=> b.family(); std::is_neq(order)) return order;
  if (auto order = a.bytes() <=> b.bytes(); std::is_neq(order)) return order;
  if (auto order = a.port() <=> b.port(); std::is_neq(order)) return order;
  return a.zone() <=> b.zone();
}

}  // namespace lb
