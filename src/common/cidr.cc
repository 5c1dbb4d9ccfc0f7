// SPDX-License-Identifier: MIT
#include "common/cidr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>

namespace lb {

namespace {

using Bytes = std::array<uint8_t, 16>;

// ::ffff:0:0/96, where IPv4 lives among the 16-byte addresses.
constexpr unsigned kV4Prefix = 96;
constexpr Bytes kV4First{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr Bytes kV4Last{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

std::optional<Bytes> parse_bytes(const std::string& text, bool v6) {
  Bytes bytes = v6 ? Bytes{} : kV4First;
  void* out = v6 ? bytes.data() : bytes.data() + 12;
  if (inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), out) != 1) return std::nullopt;
  return bytes;
}

std::optional<unsigned> parse_prefix(std::string_view text, unsigned max) {
  unsigned prefix = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), prefix);
  bool whole = status == std::errc() && end == text.data() + text.size();
  bool leading_zero = text.size() > 1 && text.front() == '0';
  if (!whole || leading_zero || prefix > max) return std::nullopt;
  return prefix;
}

// Sets all bits after the first `prefix` ones to `ones`.
Bytes fill_host_bits(Bytes bytes, unsigned prefix, bool ones) {
  for (unsigned i = prefix / 8; i < bytes.size(); ++i) {
    unsigned host_bits = i == prefix / 8 ? 0xffu >> (prefix % 8) : 0xffu;
    bytes[i] = static_cast<uint8_t>(ones ? bytes[i] | host_bits : bytes[i] & ~host_bits);
  }
  return bytes;
}

std::string ip_text(const Bytes& bytes, bool v6) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(v6 ? AF_INET6 : AF_INET, v6 ? bytes.data() : bytes.data() + 12, text, sizeof(text));
  return text;
}

// The neighbour of an address; `by` is 1 or -1. Wraps around at both ends.
Bytes step(Bytes bytes, int by) {
  for (size_t i = bytes.size(); i-- > 0;) {
    bytes[i] = static_cast<uint8_t>(bytes[i] + by);
    if (bytes[i] != (by > 0 ? 0x00 : 0xff)) break;
  }
  return bytes;
}

// An IPv6 network around the IPv4 block, such as ::/0, does not mean IPv4: it becomes what lies
// before the block and what lies after it.
std::vector<Cidr> without_v4(const std::vector<Cidr>& networks) {
  std::vector<Cidr> ranges;
  ranges.reserve(networks.size() + 1);
  for (const Cidr& network : networks) {
    if (network.first < kV4First && network.last >= kV4Last) {
      ranges.push_back({network.first, step(kV4First, -1)});
      if (network.last > kV4Last) ranges.push_back({step(kV4Last, 1), network.last});
    } else {
      ranges.push_back(network);
    }
  }
  return ranges;
}

}  // namespace

Result<Cidr> Cidr::parse(std::string_view text) {
  size_t slash = text.find('/');
  std::string ip(text.substr(0, slash));
  bool v6 = ip.find(':') != std::string::npos;
  // inet_pton reads up to a NUL and would not see what follows.
  auto bytes = ip.find('\0') == std::string::npos ? parse_bytes(ip, v6) : std::nullopt;
  if (!bytes) {
    return fail("'" + std::string(text) + "' is not an IP address or network like 10.0.0.0/8");
  }
  unsigned bits = v6 ? 128 : 32;
  unsigned prefix = bits;
  if (slash != std::string_view::npos) {
    auto given = parse_prefix(text.substr(slash + 1), bits);
    if (!given) {
      return fail("'" + std::string(text) + "' has no prefix length of 0 to " +
                  std::to_string(bits) + " after the '/'");
    }
    prefix = *given;
  }
  unsigned wide = v6 ? prefix : prefix + kV4Prefix;
  Bytes first = fill_host_bits(*bytes, wide, false);
  if (first != *bytes) {
    return fail("'" + std::string(text) + "' has bits set after its prefix; did you mean '" +
                ip_text(first, v6) + "/" + std::to_string(prefix) + "'?");
  }
  return Cidr{first, fill_host_bits(first, wide, true)};
}

CidrSet::CidrSet(const std::vector<Cidr>& networks) : ranges_(without_v4(networks)) {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Cidr& a, const Cidr& b) { return a.first < b.first; });
  size_t kept = 0;
  for (const Cidr& range : ranges_) {
    bool touches = kept > 0 && (range.first <= ranges_[kept - 1].last ||
                                range.first == step(ranges_[kept - 1].last, 1));
    if (touches) {
      ranges_[kept - 1].last = std::max(ranges_[kept - 1].last, range.last);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

bool CidrSet::contains(const Address& address) const {
  if (ranges_.empty() || !address.is_ip()) return false;
  std::string_view raw = address.bytes();
  Bytes bytes = kV4First;
  std::memcpy(bytes.data() + (bytes.size() - raw.size()), raw.data(), raw.size());
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), bytes,
                                [](const Bytes& b, const Cidr& range) { return b < range.first; });
  return after != ranges_.begin() && bytes <= std::prev(after)->last;
}

}  // namespace lb
