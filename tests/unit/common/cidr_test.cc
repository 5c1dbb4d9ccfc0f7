// SPDX-License-Identifier: MIT
#include "common/cidr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace lb {
namespace {

Cidr network(const std::string& text) {
  auto parsed = Cidr::parse(text);
  EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
  return parsed ? *parsed : Cidr{};
}

CidrSet set_of(const std::vector<std::string>& texts) {
  std::vector<Cidr> networks;
  for (const auto& text : texts) networks.push_back(network(text));
  return CidrSet(networks);
}

Address ip(const std::string& text) {
  auto parsed = Address::parse_ip(text, 1234);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Address();
}

TEST(Cidr, HoldsExactlyTheAddressesOfItsPrefix) {
  struct Row {
    const char* network;
    std::vector<std::string> inside;
    std::vector<std::string> outside;
  };
  const Row rows[] = {
      {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0", "::10.0.0.0"}},
      {"192.168.1.0/25", {"192.168.1.0", "192.168.1.127"}, {"192.168.1.128", "192.168.0.255"}},
      {"10.1.2.3", {"10.1.2.3"}, {"10.1.2.2", "10.1.2.4"}},
      {"10.1.2.3/32", {"10.1.2.3"}, {"10.1.2.2", "10.1.2.4"}},
      {"10.1.2.2/31", {"10.1.2.2", "10.1.2.3"}, {"10.1.2.1", "10.1.2.4"}},
      {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "::1", "ffff::"}},
      {"128.0.0.0/1", {"128.0.0.0", "255.255.255.255"}, {"127.255.255.255", "8000::"}},
      {"2001:db8::/32",
       {"2001:db8::", "2001:db8:ffff::1"},
       {"2001:db7::1", "2001:db9::", "1.1.1.1"}},
      {"2001:db8::/33", {"2001:db8:7fff::"}, {"2001:db8:8000::"}},
      {"::1", {"::1"}, {"::", "::2", "127.0.0.1"}},
      {"::1/128", {"::1"}, {"::", "::2"}},
      {"fe80::/10", {"fe80::1", "febf::"}, {"fec0::", "fe7f::"}},
      // IPv6 that surrounds the mapped block is not IPv4.
      {"::/0", {"::", "::1", "2001::", "ffff::"}, {"0.0.0.0", "10.0.0.1", "255.255.255.255"}},
      {"::/80", {"::", "::fffe:ffff:ffff"}, {"10.0.0.1", "0:0:0:1::"}},
      // Mapped networks are IPv4.
      {"::ffff:0:0/96", {"0.0.0.0", "255.255.255.255"}, {"::1", "::fffe:0:1"}},
      {"::ffff:10.0.0.0/104", {"10.0.0.0", "10.255.255.255"}, {"11.0.0.0"}},
      {"::ffff:10.1.2.3", {"10.1.2.3", "::ffff:10.1.2.3"}, {"10.1.2.4"}},
  };
  for (const Row& row : rows) {
    CidrSet set = set_of({row.network});
    for (const auto& text : row.inside) {
      EXPECT_TRUE(set.contains(ip(text))) << text << " in " << row.network;
    }
    for (const auto& text : row.outside) {
      EXPECT_FALSE(set.contains(ip(text))) << text << " in " << row.network;
    }
  }
}

TEST(Cidr, RejectsWhatIsNoNetwork) {
  using std::string_literals::operator""s;
  struct Row {
    std::string text;
    const char* message;
  };
  const Row rows[] = {
      {"", "not an IP address or network"},
      {"/", "not an IP address or network"},
      {"/8", "not an IP address or network"},
      {"localhost", "not an IP address or network"},
      {"10.0.0", "not an IP address or network"},
      {"10.0.0.256/32", "not an IP address or network"},
      {"010.0.0.0/8", "not an IP address or network"},
      {" 10.0.0.0/8", "not an IP address or network"},
      {"10.0.0.0 /8", "not an IP address or network"},
      {"[::1]", "not an IP address or network"},
      {"fe80::1%lo", "not an IP address or network"},
      {"10.0.0.0:80", "not an IP address or network"},
      {"10.0.0.0\0/8"s, "not an IP address or network"},
      {"10.0.0.0/", "prefix length of 0 to 32"},
      {"10.0.0.0/8 ", "prefix length of 0 to 32"},
      {"10.0.0.0/+8", "prefix length of 0 to 32"},
      {"10.0.0.0/-8", "prefix length of 0 to 32"},
      {"10.0.0.0/08", "prefix length of 0 to 32"},
      {"10.0.0.0/8/8", "prefix length of 0 to 32"},
      {"10.0.0.0/33", "prefix length of 0 to 32"},
      {"10.0.0.0/4294967304", "prefix length of 0 to 32"},
      {"10.0.0.0/255.0.0.0", "prefix length of 0 to 32"},
      {"::/129", "prefix length of 0 to 128"},
      {"10.0.0.1/8", "did you mean '10.0.0.0/8'?"},
      {"192.168.1.130/25", "did you mean '192.168.1.128/25'?"},
      {"2001:db8::1/32", "did you mean '2001:db8::/32'?"},
      {"1.0.0.0/0", "did you mean '0.0.0.0/0'?"},
  };
  for (const Row& row : rows) {
    auto parsed = Cidr::parse(row.text);
    ASSERT_FALSE(parsed) << row.text;
    EXPECT_THAT(parsed.error().message, testing::HasSubstr(row.message)) << row.text;
  }
}

TEST(CidrSet, HoldsNothingWhenEmpty) {
  CidrSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_FALSE(set.contains(ip("10.0.0.1")));
  EXPECT_TRUE(CidrSet(std::vector<Cidr>{}).empty());
}

TEST(CidrSet, HoldsNoUnixAndNoEmptyAddress) {
  CidrSet set = set_of({"0.0.0.0/0", "::/0"});
  EXPECT_FALSE(set.contains(*Address::parse("unix:/run/x.sock")));
  EXPECT_FALSE(set.contains(Address()));
}

TEST(CidrSet, MergesNetworksThatOverlapOrTouch) {
  struct Row {
    std::vector<std::string> networks;
    size_t ranges;
  };
  const Row rows[] = {
      {{"10.0.0.0/9", "10.128.0.0/9"}, 1},
      {{"10.128.0.0/9", "10.0.0.0/9"}, 1},
      {{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.1", "10.0.0.0/8"}, 1},
      {{"10.0.0.0/16", "10.0.0.0/8", "10.255.255.255"}, 1},
      {{"10.0.0.0/24", "10.0.2.0/24"}, 2},
      {{"0.0.0.0/0"}, 1},
      {{"::/0"}, 2},
      {{"::/0", "0.0.0.0/0"}, 1},
      {{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"}, 2},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(set_of(row.networks).size(), row.ranges) << testing::PrintToString(row.networks);
  }
}

TEST(CidrSet, IsEqualWhenItHoldsTheSameAddresses) {
  EXPECT_EQ(set_of({"10.0.0.0/9", "10.128.0.0/9"}), set_of({"10.0.0.0/8"}));
  EXPECT_NE(set_of({"10.0.0.0/8"}), set_of({"10.0.0.0/9"}));
}

// Against the plain definition, on a small space where everything overlaps.
TEST(CidrSet, AgreesWithAskingEveryNetwork) {
  std::mt19937 engine(7);
  auto below = [&](unsigned n) { return static_cast<unsigned>(engine() % n); };
  for (int round = 0; round < 200; ++round) {
    std::vector<Cidr> networks;
    for (unsigned i = below(12); i > 0; --i) {
      unsigned prefix = 24 + below(9);
      unsigned base = below(256) & (0xff00u >> (prefix - 24));
      networks.push_back(network("10.0.0." + std::to_string(base) + "/" + std::to_string(prefix)));
    }
    CidrSet set(networks);
    for (int last = 0; last < 256; ++last) {
      Address address = ip("10.0.0." + std::to_string(last));
      bool expected = std::any_of(networks.begin(), networks.end(), [&](const Cidr& one) {
        return CidrSet({one}).contains(address);
      });
      ASSERT_EQ(set.contains(address), expected) << address.to_string();
    }
  }
}

}  // namespace
}  // namespace lb
