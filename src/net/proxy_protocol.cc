// SPDX-License-Identifier: MIT
#include "net/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>

namespace lb {

namespace {

using State = ProxyParse::State;
using namespace std::string_view_literals;

constexpr std::string_view kV1Start = "PROXY ";
constexpr size_t kV1MaxLine = 107;
constexpr size_t kV1MaxIp = 39;  // eight groups of four digits

constexpr std::string_view kV2Signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr size_t kV2Fixed = 16;  // signature, version and command, family and transport, length
constexpr size_t kUnixPath = sizeof(sockaddr_un::sun_path);
enum V2Command : unsigned char { kLocal = 0x20, kProxy = 0x21 };
enum V2Family : unsigned char { kUnspec = 0, kInet = 1, kInet6 = 2, kUnix = 3 };
enum V2Transport : unsigned char { kStream = 1, kDatagram = 2 };
constexpr unsigned char kLastTransport = 2;
// What the addresses of each family take.
constexpr std::array<size_t, 4> kV2Addresses = {0, 2 * 4 + 4, 2 * 16 + 4, 2 * kUnixPath};

// ---- version 1 ----

// Takes `word` from the start of `rest`.
State take_word(std::string_view& rest, std::string_view word) {
  if (rest.size() < word.size()) {
    return word.starts_with(rest) ? State::incomplete : State::invalid;
  }
  if (!rest.starts_with(word)) return State::invalid;
  rest.remove_prefix(word.size());
  return State::complete;
}

bool read_ip(std::string_view text, int family, Address& address) {
  char buffer[kV1MaxIp + 1];
  if (text.size() > kV1MaxIp || text.find('\0') != std::string_view::npos) return false;
  *std::copy(text.begin(), text.end(), buffer) = '\0';
  if (family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    if (inet_pton(AF_INET, buffer, &v4.sin_addr) != 1) return false;
    address = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, buffer, &v6.sin6_addr) != 1) return false;
    address = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
  }
  return true;
}

// Whether `text` can be the beginning of an address: some ending must make it one.
bool may_become_ip(std::string_view text, int family) {
  constexpr std::string_view kV4Endings[] = {"", "0", ".0", "0.0", ".0.0", "0.0.0", ".0.0.0"};
  constexpr std::string_view kV6Endings[] = {":", "::", ":0"};
  auto becomes_ip = [&](std::string_view ending) {
    Address ignored;
    return read_ip(std::string(text).append(ending), family, ignored);
  };
  // An IPv6 address may end in dotted IPv4, so it takes those endings too.
  if (text.empty() || std::any_of(std::begin(kV4Endings), std::end(kV4Endings), becomes_ip)) {
    return true;
  }
  return family == AF_INET6 &&
         std::any_of(std::begin(kV6Endings), std::end(kV6Endings), becomes_ip);
}

// An address and the space after it.
State take_ip(std::string_view& rest, int family, Address& address) {
  size_t end = rest.find(' ');
  if (end == std::string_view::npos) {
    return may_become_ip(rest, family) ? State::incomplete : State::invalid;
  }
  if (!read_ip(rest.substr(0, end), family, address)) return State::invalid;
  rest.remove_prefix(end + 1);
  return State::complete;
}

// A port without leading zeros and the byte after it.
State take_port(std::string_view& rest, char after, Address& address) {
  uint16_t port = 0;
  auto [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  auto digits = static_cast<size_t>(end - rest.data());
  if (rest.empty()) return State::incomplete;
  bool leading_zero = digits > 1 && rest.front() == '0';
  if (status != std::errc() || leading_zero) return State::invalid;
  if (digits == rest.size()) return State::incomplete;
  if (rest[digits] != after) return State::invalid;
  address.set_port(port);
  rest.remove_prefix(digits + 1);
  return State::complete;
}

State take_addresses(std::string_view& rest, int family, ProxyHeader& header) {
  State state = take_ip(rest, family, header.source);
  if (state == State::complete) state = take_ip(rest, family, header.destination);
  if (state == State::complete) state = take_port(rest, ' ', header.source);
  if (state == State::complete) state = take_port(rest, '\r', header.destination);
  if (state == State::complete) state = take_word(rest, "\n");
  return state;
}

// What follows UNKNOWN is ignored up to the end of the line. `room` is what the line may still
// take.
State take_unknown(std::string_view& rest, size_t room) {
  if (!rest.empty() && rest.front() != ' ' && rest.front() != '\r') return State::invalid;
  size_t end = rest.find_first_of("\r\n");
  if (end == std::string_view::npos) {
    return rest.size() + 2 <= room ? State::incomplete : State::invalid;
  }
  if (end + 2 > room) return State::invalid;
  rest.remove_prefix(end);
  return take_word(rest, "\r\n");
}

State take_v1(std::string_view& rest, ProxyHeader& header) {
  State state = take_word(rest, kV1Start);
  if (state != State::complete) return state;
  if (rest.starts_with('U')) {
    constexpr std::string_view kUnknown = "UNKNOWN";
    state = take_word(rest, kUnknown);
    if (state != State::complete) return state;
    return take_unknown(rest, kV1MaxLine - kV1Start.size() - kUnknown.size());
  }
  state = take_word(rest, "TCP");
  if (state != State::complete) return state;
  if (rest.empty()) return State::incomplete;
  int family = rest.front() == '4' ? AF_INET : AF_INET6;
  state = take_word(rest, family == AF_INET ? "4 " : "6 ");
  return state == State::complete ? take_addresses(rest, family, header) : state;
}

ProxyParse parse_v1(std::string_view bytes) {
  ProxyParse parse;
  std::string_view rest = bytes;
  parse.state = take_v1(rest, parse.header);
  if (parse.state != State::complete) return {.state = parse.state, .length = 0, .header = {}};
  parse.length = bytes.size() - rest.size();
  return parse;
}

// ---- version 2 ----

Address read_v4(const char* ip, const char* port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  std::memcpy(&v4.sin_addr, ip, 4);
  std::memcpy(&v4.sin_port, port, 2);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
}

Address read_v6(const char* ip, const char* port) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, ip, 16);
  std::memcpy(&v6.sin6_port, port, 2);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
}

// The path is padded with NUL bytes; an abstract name begins with one.
Address read_unix(const char* path) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path, kUnixPath);
  size_t size = kUnixPath;
  while (size > 0 && path[size - 1] == '\0') --size;
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&local),
                                static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
}

ProxyHeader read_v2_addresses(unsigned family, const char* at) {
  switch (family) {
    case kInet:
      return {read_v4(at, at + 8), read_v4(at + 4, at + 10)};
    case kInet6:
      return {read_v6(at, at + 32), read_v6(at + 16, at + 34)};
    case kUnix:
      return {read_unix(at), read_unix(at + kUnixPath)};
    default:
      return {};
  }
}

ProxyParse parse_v2(std::string_view bytes) {
  std::string_view rest = bytes;
  State state = take_word(rest, kV2Signature);
  if (state != State::complete) return {.state = state, .length = 0, .header = {}};
  auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const ProxyParse incomplete{.state = State::incomplete, .length = 0, .header = {}};
  const ProxyParse invalid{.state = State::invalid, .length = 0, .header = {}};

  if (bytes.size() < 13) return incomplete;
  if (byte(12) != kLocal && byte(12) != kProxy) return invalid;
  if (bytes.size() < 14) return incomplete;
  // Without a family or a transport there is no address; LOCAL ignores both and what they say.
  unsigned family = byte(13) >> 4;
  unsigned transport = byte(13) & 0x0f;
  if (byte(12) == kProxy && (family > kUnix || transport > kLastTransport)) return invalid;
  if (byte(12) == kLocal || transport == 0) family = kUnspec;
  if (bytes.size() < 15) return incomplete;
  if (byte(14) > (kMaxProxyHeader - kV2Fixed) >> 8) return invalid;
  if (bytes.size() < kV2Fixed) return incomplete;
  size_t length = kV2Fixed + (size_t{byte(14)} << 8 | byte(15));
  if (length > kMaxProxyHeader || length < kV2Fixed + kV2Addresses[family]) return invalid;
  if (bytes.size() < length) return incomplete;
  return {.state = State::complete,
          .length = length,
          .header = read_v2_addresses(family, bytes.data() + kV2Fixed)};
}

// ---- building ----

// The 16 bytes of an IP address, IPv4 as IPv4-mapped IPv6.
std::string mapped_bytes(const Address& address) {
  if (address.is_ipv6()) return std::string(address.bytes());
  return std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff"sv).append(address.bytes());
}

// With groups of hexadecimal digits only: the protocol has no dotted IPv4 inside IPv6.
std::string mapped_text(const Address& address) {
  if (address.is_ipv6()) return address.ip_string();
  std::string text = "::ffff";
  std::string_view bytes = address.bytes();
  for (size_t i : {0u, 2u}) {
    auto group =
        static_cast<unsigned char>(bytes[i]) << 8 | static_cast<unsigned char>(bytes[i + 1]);
    char digits[8];
    text.push_back(':');
    text.append(digits, std::to_chars(digits, std::end(digits), group, 16).ptr);
  }
  return text;
}

void append_big_endian(std::string& out, size_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value & 0xff));
}

std::string v2_addresses(V2Family family, const Address& source, const Address& destination) {
  std::string out;
  for (const Address* address : {&source, &destination}) {
    if (family == kInet) out.append(address->bytes());
    if (family == kInet6) out.append(mapped_bytes(*address));
    if (family == kUnix) {
      std::string path(address->unix_path());
      path.resize(kUnixPath, '\0');
      out.append(path);
    }
  }
  if (family == kInet || family == kInet6) {
    append_big_endian(out, source.port());
    append_big_endian(out, destination.port());
  }
  return out;
}

V2Family common_family(const Address& a, const Address& b) {
  if (a.is_ipv4() && b.is_ipv4()) return kInet;
  if (a.is_ip() && b.is_ip()) return kInet6;
  return a.is_unix() && b.is_unix() ? kUnix : kUnspec;
}

}  // namespace

ProxyParse parse_proxy_header(std::string_view bytes) {
  if (bytes.empty()) return {.state = State::incomplete, .length = 0, .header = {}};
  return bytes.front() == kV1Start.front() ? parse_v1(bytes) : parse_v2(bytes);
}

std::string proxy_header_v1(const Address& source, const Address& destination) {
  V2Family family = common_family(source, destination);
  if (family != kInet && family != kInet6) return "PROXY UNKNOWN\r\n";
  bool v4 = family == kInet;
  return std::string(v4 ? "PROXY TCP4 " : "PROXY TCP6 ") +
         (v4 ? source.ip_string() : mapped_text(source)) + " " +
         (v4 ? destination.ip_string() : mapped_text(destination)) + " " +
         std::to_string(source.port()) + " " + std::to_string(destination.port()) + "\r\n";
}

std::string proxy_header_v2(const Address& source, const Address& destination) {
  V2Family family = common_family(source, destination);
  std::string addresses = v2_addresses(family, source, destination);
  std::string out(kV2Signature);
  out.push_back(kProxy);
  out.push_back(static_cast<char>(family == kUnspec ? 0 : family << 4 | kStream));
  append_big_endian(out, addresses.size());
  return out + addresses;
}

DatagramProxyHeader::DatagramProxyHeader(const Address& source, const Address& destination) {
  V2Family family = common_family(source, destination);
  if (family == kUnix) family = kUnspec;  // has no datagrams here
  bool mapped = family == kInet6;
  char* at = std::copy(kV2Signature.begin(), kV2Signature.end(), bytes_);
  *at++ = static_cast<char>(kProxy);
  *at++ = static_cast<char>(family == kUnspec ? 0 : family << 4 | kDatagram);
  size_t addresses = family == kUnspec ? 0 : kV2Addresses[family];
  *at++ = 0;
  *at++ = static_cast<char>(addresses);
  size_ = kV2Fixed + addresses;
  if (addresses == 0) return;
  for (const Address* address : {&source, &destination}) {
    if (mapped && address->is_ipv4()) {
      constexpr std::string_view kMapped = "\0\0\0\0\0\0\0\0\0\0\xff\xff"sv;
      at = std::copy(kMapped.begin(), kMapped.end(), at);
    }
    at = std::copy(address->bytes().begin(), address->bytes().end(), at);
  }
  for (const Address* address : {&source, &destination}) {
    *at++ = static_cast<char>(address->port() >> 8);
    *at++ = static_cast<char>(address->port() & 0xff);
  }
}

bool starts_as_proxy_v2(std::string_view datagram) {
  return datagram.starts_with(kV2Signature);
}

ProxyParse parse_datagram_proxy_header(std::string_view datagram) {
  ProxyParse parse = starts_as_proxy_v2(datagram) ? parse_v2(datagram) : ProxyParse{};
  // What a datagram lacks does not follow.
  if (parse.state == State::incomplete) parse.state = State::invalid;
  return parse;
}

}  // namespace lb
