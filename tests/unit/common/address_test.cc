// SPDX-License-Identifier: MIT
#include "common/address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>

namespace lb {
namespace {

using std::string_literals::operator""s;

sockaddr_un unix_sockaddr(const std::string& path) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  return local;
}

Address from_unix(const std::string& path, size_t path_length) {
  sockaddr_un local = unix_sockaddr(path);
  return Address::from_sockaddr(
      reinterpret_cast<const sockaddr*>(&local),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_length));
}

Address from_v6(const char* ip, uint32_t scope) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(80);
  v6.sin6_scope_id = scope;
  v6.sin6_flowinfo = htonl(7);
  EXPECT_EQ(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
}

TEST(Address, ReadsWhatItWrites) {
  const std::string lo = std::to_string(if_nametoindex("lo"));
  struct Row {
    std::string text;
    std::string written;  // "" = the same
    int family;
    uint16_t port;
  };
  const Row rows[] = {
      {"1.2.3.4:80", "", AF_INET, 80},
      {"0.0.0.0:0", "", AF_INET, 0},
      {"255.255.255.255:65535", "", AF_INET, 65535},
      {"[::1]:80", "", AF_INET6, 80},
      {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", AF_INET6, 443},
      {"[::]:80", "", AF_INET6, 80},
      {"[::ffff:1.2.3.4]:80", "1.2.3.4:80", AF_INET, 80},
      {"[fe80::1]:80", "", AF_INET6, 80},
      {"[fe80::1%7]:80", "", AF_INET6, 80},
      {"[fe80::1%lo]:80", "[fe80::1%" + lo + "]:80", AF_INET6, 80},
      {"unix:/run/lb/x.sock", "", AF_UNIX, 0},
      {"unix:relative:80", "", AF_UNIX, 0},
      {"unix:" + std::string(107, 'x'), "", AF_UNIX, 0},
  };
  for (const Row& row : rows) {
    auto address = Address::parse(row.text);
    ASSERT_TRUE(address) << row.text << ": " << address.error().message;
    EXPECT_EQ(address->to_string(), row.written.empty() ? row.text : row.written);
    EXPECT_EQ(address->family(), row.family) << row.text;
    EXPECT_EQ(address->port(), row.port) << row.text;
    EXPECT_FALSE(address->empty());
    EXPECT_EQ(Address::from_sockaddr(address->data(), address->length()), *address) << row.text;
  }
}

TEST(Address, RejectsWhatIsNoAddress) {
  struct Row {
    std::string text;
    const char* message;
  };
  const Row rows[] = {
      {"", "has no port"},
      {"1.2.3.4", "has no port"},
      {"[::1]", "has no port"},
      {"1.2.3.4:", "is not a port"},
      {"1.2.3.4:http", "is not a port"},
      {"1.2.3.4:65536", "is not a port"},
      {"1.2.3.4:99999999999999999999", "is not a port"},
      {"1.2.3.4:-1", "is not a port"},
      {"1.2.3.4:+80", "is not a port"},
      {"1.2.3.4: 80", "is not a port"},
      {"1.2.3.4:80 ", "is not a port"},
      {"1.2.3.4:080", "is not a port"},
      {"1.2.3.4:0x50", "is not a port"},
      {"1.2.3.4:80\0"s, "is not a port"},
      {"1.2.3.4\0:80"s, "not an IPv4 or IPv6 address"},
      {"[::1\0]:80"s, "not an IPv4 or IPv6 address"},
      {"localhost:80", "not an IPv4 or IPv6 address"},
      {":80", "not an IPv4 or IPv6 address"},
      {"1.2.3:80", "not an IPv4 or IPv6 address"},
      {"1.2.3.256:80", "not an IPv4 or IPv6 address"},
      {"01.2.3.4:80", "not an IPv4 or IPv6 address"},
      {"[1.2.3.4]:80", "not an IPv4 or IPv6 address"},
      {"[]:80", "not an IPv4 or IPv6 address"},
      {"[::1:80", "not an IPv4 or IPv6 address"},
      {"[[::1]]:80", "not an IPv4 or IPv6 address"},
      {"::1:80", "written [address]:port"},
      {"::1", "written [address]:port"},
      {"[2001:db8::1%lo]:80", "only a link-local"},
      {"[fe80::1%]:80", "no network interface"},
      {"[fe80::1%0]:80", "no network interface"},
      {"[fe80::1%no-such-one]:80", "no network interface"},
      {"unix:", "1 to 107 bytes"},
      {"unix:" + std::string(108, 'x'), "1 to 107 bytes"},
      {"unix:/a\0b"s, "1 to 107 bytes"},
  };
  for (const Row& row : rows) {
    auto address = Address::parse(row.text);
    ASSERT_FALSE(address) << row.text;
    EXPECT_THAT(address.error().message, testing::HasSubstr(row.message)) << row.text;
  }
}

TEST(Address, TakesThePortApartFromTheIp) {
  EXPECT_EQ(Address::parse_ip("1.2.3.4", 80)->to_string(), "1.2.3.4:80");
  EXPECT_EQ(Address::parse_ip("::1", 80)->to_string(), "[::1]:80");
  EXPECT_EQ(Address::parse_ip("[::1]", 80)->to_string(), "[::1]:80");
  EXPECT_FALSE(Address::parse_ip("", 80));
  EXPECT_FALSE(Address::parse_ip("[", 80));
  EXPECT_FALSE(Address::parse_ip("1.2.3.4:80", 80));
}

TEST(Address, KnowsWildcardAndLoopback) {
  struct Row {
    const char* text;
    bool wildcard;
    bool loopback;
  };
  const Row rows[] = {
      {"0.0.0.0:1", true, false},   {"[::]:1", true, false},
      {"127.0.0.1:1", false, true}, {"127.9.9.9:1", false, true},
      {"[::1]:1", false, true},     {"128.0.0.1:1", false, false},
      {"10.0.0.1:1", false, false}, {"[::2]:1", false, false},
      {"unix:/x", false, false},    {"[::ffff:127.0.0.1]:1", false, true},
  };
  for (const Row& row : rows) {
    auto address = Address::parse(row.text);
    ASSERT_TRUE(address) << row.text;
    EXPECT_EQ(address->is_wildcard(), row.wildcard) << row.text;
    EXPECT_EQ(address->is_loopback(), row.loopback) << row.text;
  }
  EXPECT_TRUE(Address::any_v4(80).is_wildcard());
  EXPECT_TRUE(Address::any_v6(80).is_wildcard());
  EXPECT_EQ(Address::any_v6(80).port(), 80);
}

TEST(Address, GivesItsBytesInNetworkOrder) {
  EXPECT_EQ(Address::parse("1.2.3.4:80")->bytes(), "\x01\x02\x03\x04");
  EXPECT_EQ(Address::parse("[102::f]:80")->bytes(), "\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x0f"s);
  EXPECT_EQ(Address::parse("unix:/x")->bytes(), "/x");
  EXPECT_EQ(Address().bytes(), "");
}

TEST(Address, ChangesItsPortOnlyWhereItHasOne) {
  Address v4 = *Address::parse("1.2.3.4:80");
  v4.set_port(443);
  EXPECT_EQ(v4.to_string(), "1.2.3.4:443");
  Address local = *Address::parse("unix:/x");
  local.set_port(443);
  EXPECT_EQ(local.to_string(), "unix:/x");
  EXPECT_EQ(local.port(), 0);
}

TEST(Address, IsEmptyUntilSet) {
  Address address;
  EXPECT_TRUE(address.empty());
  EXPECT_EQ(address.length(), 0u);
  EXPECT_EQ(address.to_string(), "");
  EXPECT_EQ(address.port(), 0);
  EXPECT_EQ(address, Address());
}

TEST(Address, DiffersByFamilyIpPortPathOrZone) {
  const std::string texts[] = {"1.2.3.4:80",   "1.2.3.4:81", "1.2.3.5:80",     "[::1]:80",
                               "[::2]:80",     "[::1]:81",   "[fe80::1%1]:80", "[fe80::1%2]:80",
                               "[fe80::1]:80", "unix:/a",    "unix:/ab",       "[::]:80",
                               "0.0.0.0:80"};
  for (const auto& a : texts) {
    for (const auto& b : texts) {
      EXPECT_EQ(*Address::parse(a) == *Address::parse(b), a == b) << a << " and " << b;
    }
  }
}

TEST(Address, SortsByFamilyThenBytesThenPort) {
  const std::string sorted[] = {"unix:/a",       "unix:/b",      "9.0.0.1:80", "10.0.0.1:80",
                                "10.0.0.1:443",  "200.0.0.1:1",  "[::1]:80",   "[2001:db8::1]:80",
                                "[fe80::1%1]:1", "[fe80::1%2]:1"};
  for (size_t i = 0; i < std::size(sorted); ++i) {
    for (size_t j = 0; j < std::size(sorted); ++j) {
      EXPECT_EQ(*Address::parse(sorted[i]) < *Address::parse(sorted[j]), i < j)
          << sorted[i] << " and " << sorted[j];
    }
  }
}

TEST(Address, IsEmptyFromASockaddrThatIsTooShortOrStrange) {
  struct Row {
    sa_family_t family;
    socklen_t length;
  };
  const Row rows[] = {
      {AF_INET, 0},    {AF_INET, 1},
      {AF_INET, 2},    {AF_INET, sizeof(sockaddr_in) - 1},
      {AF_INET6, 2},   {AF_INET6, sizeof(sockaddr_in)},
      {AF_UNIX, 1},    {AF_INET6, sizeof(sockaddr_in6) - 1},
      {AF_UNSPEC, 16}, {AF_NETLINK, 12},
  };
  for (const Row& row : rows) {
    sockaddr_storage storage{};
    storage.ss_family = row.family;
    Address address =
        Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), row.length);
    EXPECT_TRUE(address.empty()) << row.family << ", length " << row.length;
    EXPECT_EQ(address.length(), 0u);
  }
  EXPECT_TRUE(Address::from_sockaddr(nullptr, 16).empty());
}

TEST(Address, HasTheLengthOfItsFamilyWhateverBufferItCameIn) {
  sockaddr_storage storage{};
  Address v4 = *Address::parse("1.2.3.4:80");
  std::memcpy(&storage, v4.data(), v4.length());
  Address copy =
      Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), sizeof(storage));
  EXPECT_EQ(copy, v4);
  EXPECT_EQ(copy.length(), sizeof(sockaddr_in));
}

TEST(Address, KeepsTheZoneOfLinkLocalAddressesOnly) {
  EXPECT_EQ(from_v6("fe80::1", 3).to_string(), "[fe80::1%3]:80");
  EXPECT_EQ(from_v6("fe80::1", 3).ip_string(), "fe80::1");
  EXPECT_NE(from_v6("fe80::1", 3), from_v6("fe80::1", 4));
  EXPECT_EQ(from_v6("2001:db8::1", 3), *Address::parse("[2001:db8::1]:80"));
  EXPECT_EQ(from_v6("::ffff:10.0.0.1", 0), *Address::parse("10.0.0.1:80"));
}

TEST(Address, TakesUnixSocketsInEveryShapeTheKernelGivesThem) {
  Address unnamed = from_unix("", 0);
  EXPECT_TRUE(unnamed.is_unix());
  EXPECT_EQ(unnamed.unix_path(), "");
  EXPECT_EQ(unnamed.to_string(), "unix:");
  EXPECT_EQ(unnamed.length(), sizeof(sa_family_t));
  EXPECT_EQ(unnamed, from_unix("", 0));

  // With and without its NUL, and with a buffer longer than the path.
  Address path = *Address::parse("unix:/run/x");
  EXPECT_EQ(from_unix("/run/x", 6), path);
  EXPECT_EQ(from_unix("/run/x", 7), path);
  EXPECT_EQ(from_unix("/run/x", 108), path);
  EXPECT_NE(from_unix("/run/x", 5), path);

  // A path that fills sun_path; Linux then says one byte more than the structure has.
  Address full = from_unix(std::string(108, 'x'), 109);
  EXPECT_EQ(full.unix_path(), std::string(108, 'x'));
  EXPECT_EQ(full.length(), sizeof(sockaddr_un));
}

TEST(Address, TellsAbstractUnixSocketsApart) {
  Address a = from_unix("\0a"s, 2);
  EXPECT_EQ(a.unix_path(), "\0a"s);
  EXPECT_EQ(a.to_string(), "unix:@a");
  EXPECT_EQ(a.length(), offsetof(sockaddr_un, sun_path) + 2);
  EXPECT_EQ(a, from_unix("\0a"s, 2));
  EXPECT_NE(a, from_unix("\0b"s, 2));
  EXPECT_NE(a, from_unix("\0a\0"s, 3));
  EXPECT_NE(a, from_unix("", 0));
  EXPECT_EQ(from_unix("\0a"s, 2), Address::from_sockaddr(a.data(), a.length()));
}

}  // namespace
}  // namespace lb
