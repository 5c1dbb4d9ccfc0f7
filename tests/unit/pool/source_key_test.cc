// SPDX-License-Identifier: MIT
#include "pool/source_key.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

struct KeyCase {
  const char* name;
  const char* a;
  const char* b;
  bool same_source;
  bool same_source_and_port;
};

class SourceKey : public testing::TestWithParam<KeyCase> {};

TEST_P(SourceKey, IsTheSameForOneSource) {
  Address a = Address::parse(GetParam().a).value();
  Address b = Address::parse(GetParam().b).value();
  EXPECT_EQ(source_ip_key(a) == source_ip_key(b), GetParam().same_source);
  EXPECT_EQ(source_ip_port_key(a) == source_ip_port_key(b), GetParam().same_source_and_port);
  EXPECT_NE(source_ip_key(a), source_ip_port_key(a));
}

INSTANTIATE_TEST_SUITE_P(
    Sources, SourceKey,
    testing::Values(
        KeyCase{"Ipv4PortsDiffer", "192.0.2.1:1000", "192.0.2.1:1001", true, false},
        KeyCase{"Ipv4HostsDiffer", "192.0.2.1:1000", "192.0.2.2:1000", false, false},
        KeyCase{"Ipv6OneNetwork", "[2001:db8:0:1::1]:9", "[2001:db8:0:1:ffff::2]:9", true, true},
        KeyCase{"Ipv6OtherNetwork", "[2001:db8:0:1::1]:9", "[2001:db8:0:2::1]:9", false, false},
        KeyCase{"MappedIsIpv4", "[::ffff:192.0.2.1]:80", "192.0.2.1:80", true, true},
        KeyCase{"Ipv4IsNotIpv6", "0.0.0.0:80", "[::]:80", false, false},
        KeyCase{"UnixIsOneSource", "unix:/a", "unix:/b", true, true}),
    [](const auto& row) { return row.param.name; });

TEST(SourceKeyValues, NeverChange) {
  // Balancers of different versions must agree.
  EXPECT_EQ(source_ip_key(Address::parse("192.0.2.1:80").value()), 0x2b60843fe47f265fU);
  EXPECT_EQ(source_ip_port_key(Address::parse("192.0.2.1:80").value()), 0xf30f9cf5caa64c88U);
}

}  // namespace
}  // namespace lb
