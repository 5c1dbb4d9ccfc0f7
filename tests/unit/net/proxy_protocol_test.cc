// SPDX-License-Identifier: MIT
#include "net/proxy_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace lb {
namespace {

using State = ProxyParse::State;
using std::string_literals::operator""s;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

// A v2 header of this command, family and transport around `body`.
std::string v2(unsigned char command, unsigned char family, const std::string& body) {
  std::string header = kSignature;
  header.push_back(static_cast<char>(command));
  header.push_back(static_cast<char>(family));
  header.push_back(static_cast<char>(body.size() >> 8));
  header.push_back(static_cast<char>(body.size() & 0xff));
  return header + body;
}

const std::string kV4Body = "\x0a\0\0\1\x0a\0\0\2\xd4\x31\x01\xbb"s;  // 10.0.0.1:54321 10.0.0.2:443
const std::string kV6Body =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\xd4\x31\x01\xbb"s;

std::string unix_body(std::string source, std::string destination) {
  source.resize(108, '\0');
  destination.resize(108, '\0');
  return source + destination;
}

Address address(const std::string& text) {
  if (text.empty()) return {};
  auto parsed = Address::parse(text);
  EXPECT_TRUE(parsed) << text;
  return *parsed;
}

std::string printable(const std::string& bytes) {
  return testing::PrintToString(bytes);
}

struct Valid {
  std::string bytes;
  std::string source;
  std::string destination;
};

const Valid kValid[] = {
    {"PROXY TCP4 10.0.0.1 10.0.0.2 54321 443\r\n", "10.0.0.1:54321", "10.0.0.2:443"},
    {"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0", "255.255.255.255:65535"},
    {"PROXY TCP6 2001:db8::1 2001:DB8::2 54321 443\r\n", "[2001:db8::1]:54321",
     "[2001:db8::2]:443"},
    {"PROXY TCP6 1:2:3:4:5:6:7:8 :: 1 2\r\n", "[1:2:3:4:5:6:7:8]:1", "[::]:2"},
    {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
     "65535 65535\r\n",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"PROXY TCP6 ::ffff:a00:1 ::1 1 2\r\n", "10.0.0.1:1", "[::1]:2"},
    {"PROXY TCP6 ::ffff:10.0.0.1 ::1 1 2\r\n", "10.0.0.1:1", "[::1]:2"},
    {"PROXY UNKNOWN\r\n", "", ""},
    {"PROXY UNKNOWN \r\n", "", ""},
    {"PROXY UNKNOWN ffff::1 whatever 65535 x\0y\r\n"s, "", ""},
    {"PROXY UNKNOWN " + std::string(91, 'x') + "\r\n", "", ""},  // 107 bytes

    {v2(0x21, 0x11, kV4Body), "10.0.0.1:54321", "10.0.0.2:443"},
    {v2(0x21, 0x12, kV4Body), "10.0.0.1:54321", "10.0.0.2:443"},
    {v2(0x21, 0x21, kV6Body), "[2001:db8::1]:54321", "[2001:db8::2]:443"},
    {v2(0x21, 0x31, unix_body("/run/a", "/run/b")), "unix:/run/a", "unix:/run/b"},
    // TLVs, well-formed or not, are skipped.
    {v2(0x21, 0x11, kV4Body + "\x04\0\x02hi"s), "10.0.0.1:54321", "10.0.0.2:443"},
    {v2(0x21, 0x11, kV4Body + "\x04\xff\xff"), "10.0.0.1:54321", "10.0.0.2:443"},
    {v2(0x21, 0x11, kV4Body + std::string(4080 - 12, 'x')), "10.0.0.1:54321", "10.0.0.2:443"},
    {v2(0x21, 0x21, kV6Body + std::string(300, '\0')), "[2001:db8::1]:54321", "[2001:db8::2]:443"},
    // No address: unspecified family or transport, and LOCAL whatever else it says.
    {v2(0x21, 0x00, ""), "", ""},
    {v2(0x21, 0x00, "anything"), "", ""},
    {v2(0x21, 0x01, kV4Body), "", ""},
    {v2(0x21, 0x10, kV4Body), "", ""},
    {v2(0x20, 0x00, ""), "", ""},
    {v2(0x20, 0x11, kV4Body), "", ""},
    {v2(0x20, 0x11, ""), "", ""},
    {v2(0x20, 0xff, "anything"), "", ""},
};

TEST(ProxyProtocol, ReadsValidHeaders) {
  for (const Valid& row : kValid) {
    ProxyParse parse = parse_proxy_header(row.bytes);
    ASSERT_EQ(parse.state, State::complete) << printable(row.bytes);
    EXPECT_EQ(parse.length, row.bytes.size()) << printable(row.bytes);
    EXPECT_EQ(parse.header.source, address(row.source)) << printable(row.bytes);
    EXPECT_EQ(parse.header.destination, address(row.destination)) << printable(row.bytes);
  }
}

TEST(ProxyProtocol, LeavesWhatFollowsTheHeader) {
  for (const Valid& row : kValid) {
    for (const std::string& payload : {"G"s, "PROXY TCP4 1.1.1.1"s, "\r\n\r\n\0"s, "\n"s}) {
      ProxyParse parse = parse_proxy_header(row.bytes + payload);
      ASSERT_EQ(parse.state, State::complete) << printable(row.bytes);
      EXPECT_EQ(parse.length, row.bytes.size()) << printable(row.bytes);
      EXPECT_EQ(parse.header.source, address(row.source)) << printable(row.bytes);
    }
  }
}

TEST(ProxyProtocol, AsksForMoreAtEverySplitOfAValidHeader) {
  for (const Valid& row : kValid) {
    for (size_t size = 0; size < row.bytes.size(); ++size) {
      ProxyParse parse = parse_proxy_header(std::string_view(row.bytes).substr(0, size));
      ASSERT_EQ(parse.state, State::incomplete) << size << " bytes of " << printable(row.bytes);
      ASSERT_EQ(parse.length, 0u);
      ASSERT_TRUE(parse.header.source.empty());
    }
  }
}

// `good` can still become a header; one more byte, the first of `bad`, and it cannot.
struct Invalid {
  std::string good;
  std::string bad;
};

const Invalid kInvalid[] = {
    {"", "GET / HTTP/1.1\r\n"},
    {"", "\x16\x03\x01"},
    {"", "\0"s},
    {"", " PROXY TCP4"},
    {"", "proxy tcp4"},
    {"PROX", "x"},
    {"PROXY", "\t"},
    {"PROXY ", " TCP4 10.0.0.1"},
    {"PROXY ", "tcp4"},
    {"PROXY ", "\r\n"},
    {"PROXY TCP", "5"},
    {"PROXY TCP", " "},
    {"PROXY TCP4", "\r\n"},
    {"PROXY TCP4 ", " 10.0.0.1"},
    {"PROXY TCP4 ", ":"},
    {"PROXY TCP4 ", "x"},
    {"PROXY TCP4 25", "6"},
    {"PROXY TCP4 0", "1"},
    {"PROXY TCP4 1.", ".2"},
    {"PROXY TCP4 1.2", " "},
    {"PROXY TCP4 1.2.3.4", "\r\n"},
    {"PROXY TCP4 1.2.3.4", "."},
    {"PROXY TCP4 1.2.3.4", "\0"s},
    {"PROXY TCP4 1.2.3.4", "/"},
    {"PROXY TCP4 1.2.3.4", "\t"},
    {"PROXY TCP4 1.2.3.4 ", " 1.2.3.5"},
    {"PROXY TCP4 1.2.3.4 ", "::1 1 2\r\n"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5", "\r\n"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 ", " 1"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 ", "-1"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 ", "+1"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 0", "1"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 6553", "6"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 65535", "5"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1", "\r\n"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1", "a"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1 ", "\r\n"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1 0", "2"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1 2", " \r\n"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1 2", "\n"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1 2", "\0\r\n"s},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r", "\r\n"},
    {"PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r", "x"},
    {"PROXY TCP6 ", "g"},
    {"PROXY TCP6 :", "1"},
    {"PROXY TCP6 1", " "},
    {"PROXY TCP6 1234", "5"},
    {"PROXY TCP6 ::1:", ":"},
    {"PROXY TCP6 1:2:3:4:5:6:7:8", ":"},
    {"PROXY TCP6 1:2:3:4:5:6:7::", "8"},
    {"PROXY TCP6 ::1", "%lo"},
    {"PROXY TCP6 ::1", "/"},
    {"PROXY TCP6 1", ".2.3.4"},
    {"PROXY TCP6 ::1.2.3.4", "."},
    {"PROXY TCP6 ::1 ", ".2.3.4 1 2\r\n"},
    {"PROXY U", "x"},
    {"PROXY UNKNOWN", "X"},
    {"PROXY UNKNOWN", "\n"},
    {"PROXY UNKNOWN\r", "x"},
    {"PROXY UNKNOWN some", "\n"},
    {"PROXY UNKNOWN " + std::string(91, 'x'), "x"},
    {"PROXY UNKNOWN " + std::string(91, 'x') + "\r", "\r"},

    {"\r", "\r"},
    {kSignature.substr(0, 11), "\r"},
    {kSignature, "\x11"},  // version 1
    {kSignature, "\x31"},  // version 3
    {kSignature, "\x22"},  // no such command
    {kSignature + "\x21", "\x41"},
    {kSignature + "\x21", "\x13"},
    {kSignature + "\x21\x11", "\x10"},  // 4,096 bytes beside the first 16
    {kSignature + "\x21\x11", "\xff"},
    {kSignature + "\x21\x11\x0f", "\xf1"},  // 4,097 bytes in all
    {kSignature + "\x20\x11\x0f", "\xf1"},
    {kSignature + "\x21\x11\0"s, "\x0b"},  // shorter than its addresses
    {kSignature + "\x21\x11\0"s, "\0"s},
    {kSignature + "\x21\x21\0"s, "\x23"},
    {kSignature + "\x21\x31\0"s, "\xd7"},
};

TEST(ProxyProtocol, RejectsAtTheFirstByteThatShowsIt) {
  for (const Invalid& row : kInvalid) {
    EXPECT_EQ(parse_proxy_header(row.good).state, State::incomplete) << printable(row.good);
    for (size_t size = 1; size <= row.bad.size(); ++size) {
      std::string bytes = row.good + row.bad.substr(0, size);
      EXPECT_EQ(parse_proxy_header(bytes).state, State::invalid) << printable(bytes);
    }
  }
}

// Walks through everything that a v1 parser may accept, byte by byte and at random: whatever is
// called incomplete must have a way on, and one that ends within the line's limit.
TEST(ProxyProtocol, CallsNothingIncompleteThatCannotBeCompleted) {
  const std::string alphabet = "PROXYUNKWTC46 .:0123456789abcdefABCDEF\r\n";
  std::mt19937 random(11);
  size_t tcp_headers = 0;
  for (int walk = 0; walk < 300; ++walk) {
    std::string bytes;
    State state = State::incomplete;
    while (state == State::incomplete) {
      std::string order = alphabet;
      std::shuffle(order.begin(), order.end(), random);
      auto way = std::find_if(order.begin(), order.end(), [&](char next) {
        return parse_proxy_header(bytes + next).state != State::invalid;
      });
      if (bytes.empty()) way = order.begin() + static_cast<long>(order.find('P'));
      ASSERT_NE(way, order.end()) << "dead end: " << printable(bytes);
      bytes.push_back(*way);
      ASSERT_LE(bytes.size(), 107u);
      state = parse_proxy_header(bytes).state;
    }
    ASSERT_EQ(state, State::complete) << printable(bytes);
    if (bytes.starts_with("PROXY TCP")) ++tcp_headers;
  }
  EXPECT_GT(tcp_headers, 50u);
}

TEST(ProxyProtocol, SurvivesEveryDamagedByteOfAValidHeader) {
  for (const Valid& row : kValid) {
    for (size_t at = 0; at < std::min<size_t>(row.bytes.size(), 128); ++at) {
      for (char damage : {'\0', '\r', ' ', '0', '\x7f', '\xff'}) {
        std::string bytes = row.bytes;
        bytes[at] = damage;
        ProxyParse parse = parse_proxy_header(bytes);
        if (parse.state == State::complete) {
          EXPECT_LE(parse.length, bytes.size());
        } else {
          EXPECT_EQ(parse.length, 0u);
        }
      }
    }
  }
}

TEST(ProxyProtocol, WritesHeadersAsTheProtocolHasThem) {
  struct Row {
    const char* source;
    const char* destination;
    std::string v1;
    std::string v2;
  };
  const Row rows[] = {
      {"10.0.0.1:54321", "10.0.0.2:443", "PROXY TCP4 10.0.0.1 10.0.0.2 54321 443\r\n",
       v2(0x21, 0x11, kV4Body)},
      {"[2001:db8::1]:54321", "[2001:db8::2]:443",
       "PROXY TCP6 2001:db8::1 2001:db8::2 54321 443\r\n", v2(0x21, 0x21, kV6Body)},
      {"[fe80::1%1]:1", "[::1]:2", "PROXY TCP6 fe80::1 ::1 1 2\r\n",
       v2(0x21, 0x21,
          "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2"s)},
      {"10.0.0.1:1", "[::1]:2", "PROXY TCP6 ::ffff:a00:1 ::1 1 2\r\n",
       v2(0x21, 0x21,
          "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2"s)},
      {"[::1]:1", "255.0.0.2:2", "PROXY TCP6 ::1 ::ffff:ff00:2 1 2\r\n",
       v2(0x21, 0x21,
          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\0\0\2\0\1\0\2"s)},
      {"unix:/run/a", "unix:/run/b", "PROXY UNKNOWN\r\n",
       v2(0x21, 0x31, unix_body("/run/a", "/run/b"))},
      {"unix:/run/a", "10.0.0.1:1", "PROXY UNKNOWN\r\n", v2(0x21, 0x00, "")},
      {"", "10.0.0.1:1", "PROXY UNKNOWN\r\n", v2(0x21, 0x00, "")},
      {"", "", "PROXY UNKNOWN\r\n", v2(0x21, 0x00, "")},
  };
  for (const Row& row : rows) {
    Address source = address(row.source);
    Address destination = address(row.destination);
    EXPECT_EQ(proxy_header_v1(source, destination), row.v1);
    EXPECT_EQ(printable(proxy_header_v2(source, destination)), printable(row.v2)) << row.source;
  }
}

TEST(ProxyProtocol, ReadsWhatItWrites) {
  const std::vector<std::string> ips = {"0.0.0.0:0",
                                        "255.255.255.255:65535",
                                        "10.0.0.1:80",
                                        "[::]:0",
                                        "[::1]:1",
                                        "[2001:db8:1:2:3:4:5:6]:65535",
                                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:443"};
  for (const auto& source : ips) {
    for (const auto& destination : ips) {
      for (auto* build : {proxy_header_v1, proxy_header_v2}) {
        std::string header = build(address(source), address(destination));
        ProxyParse parse = parse_proxy_header(header);
        ASSERT_EQ(parse.state, State::complete) << printable(header);
        EXPECT_EQ(parse.length, header.size());
        EXPECT_EQ(parse.header.source, address(source)) << printable(header);
        EXPECT_EQ(parse.header.destination, address(destination)) << printable(header);
      }
    }
  }
}

TEST(ProxyProtocol, CarriesUnixSocketsOfEveryKind) {
  auto from_path = [](const std::string& path) {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), local.sun_path);
    return Address::from_sockaddr(
        reinterpret_cast<const sockaddr*>(&local),
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
  };
  for (const std::string& path : {""s, "/run/x"s, std::string(108, 'x'), "\0abstract"s}) {
    Address source = from_path(path);
    ProxyParse parse = parse_proxy_header(proxy_header_v2(source, address("unix:/run/y")));
    ASSERT_EQ(parse.state, State::complete) << printable(path);
    EXPECT_EQ(parse.header.source, source) << printable(path);
    EXPECT_EQ(parse.header.destination, address("unix:/run/y"));
  }
}

}  // namespace
}  // namespace lb
