// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace lb {

// A network in CIDR notation (RFC 4632, RFC 4291): "10.0.0.0/8", "2001:db8::/32" or one address.
// Host bits that are set are an error, so that a typing slip is found. IPv4-mapped IPv6 networks
// of /96 and longer count as IPv4; shorter ones, such as ::/0, hold no IPv4 address.
struct Cidr {
  // The first and the last address as 16 bytes, IPv4 as IPv4-mapped IPv6.
  std::array<uint8_t, 16> first{};
  std::array<uint8_t, 16> last{};

  static Result<Cidr> parse(std::string_view text);
  friend bool operator==(const Cidr&, const Cidr&) = default;
};

// A set of networks: sorted disjoint ranges, so that a look-up is one binary search however many
// networks there are. Immutable after construction; any thread.
class CidrSet {
 public:
  CidrSet() = default;
  // In any order; they may overlap.
  explicit CidrSet(const std::vector<Cidr>& networks);

  // False for unix addresses, which belong to no network.
  bool contains(const Address& address) const;
  bool empty() const { return ranges_.empty(); }
  // Ranges after merging, which may be fewer than the networks given.
  size_t size() const { return ranges_.size(); }

  friend bool operator==(const CidrSet&, const CidrSet&) = default;

 private:
  std::vector<Cidr> ranges_;
};

}  // namespace lb
