// SPDX-License-Identifier: MIT
#include "net/port_table.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "common/hash.h"

namespace lb {
namespace {

const PortRange kHundred{.first = 40'000, .count = 100};

Address ip(const char* text) {
  return *Address::parse_ip(text, 0);
}

TEST(PortTable, GivesEveryPortOfTheRangeOnceAndAgainWhenItIsBack) {
  ServerPorts ports(kHundred);
  std::set<uint16_t> taken;
  uint64_t random = 1;
  std::vector<ServerPorts::Port> held;
  for (int i = 0; i < 100; ++i) {
    held.push_back(ports.take(ip("0.0.0.0"), random = mix64(random)));
    EXPECT_GE(held.back().number, 40'000);
    EXPECT_LT(held.back().number, 40'100);
    taken.insert(held.back().number);
  }
  EXPECT_EQ(taken.size(), 100u);
  EXPECT_EQ(ports.take(ip("0.0.0.0"), 5).number, 0) << "none is left";
  ports.give_back(held[42]);
  EXPECT_EQ(ports.take(ip("0.0.0.0"), 5).number, held[42].number);
}

TEST(PortTable, SourcesHaveTheirOwnPortsButShareThemWithNoUnspecifiedOne) {
  ServerPorts ports(kHundred);
  for (int i = 0; i < 60; ++i) ASSERT_NE(ports.take(ip("127.0.0.2"), 1).number, 0);
  for (int i = 0; i < 60; ++i) ASSERT_NE(ports.take(ip("127.0.0.3"), 1).number, 0);
  // The 60 ports of each are the same ones here, since the search began at the same place.
  std::set<uint16_t> any;
  for (int i = 0; i < 40; ++i) {
    uint16_t port = ports.take(ip("0.0.0.0"), 1).number;
    ASSERT_NE(port, 0);
    any.insert(port);
  }
  EXPECT_EQ(any.size(), 40u);
  EXPECT_EQ(ports.take(ip("0.0.0.0"), 1).number, 0);
  EXPECT_EQ(ports.take(ip("127.0.0.2"), 1).number, 0) << "the unspecified source has the rest";
}

TEST(PortTable, ServersShareLocalPortsAndOneServerHasOneSet) {
  PortTable table(kHundred);
  auto a = table.towards(*Address::parse("10.0.0.1:53"));
  auto b = table.towards(*Address::parse("10.0.0.2:53"));
  EXPECT_EQ(a, table.towards(*Address::parse("10.0.0.1:53")));
  EXPECT_NE(a, b);
  EXPECT_EQ(a->take(ip("0.0.0.0"), 9).number, b->take(ip("0.0.0.0"), 9).number);
}

TEST(PortTable, ReservedPortsAreNeverGiven) {
  struct Row {
    const char* reserved;
    size_t usable;
  };
  for (auto [reserved, usable] :
       {Row{"", 100}, Row{"40000", 99}, Row{"8080,40001-40003,40099", 96}, Row{"1-65535", 0},
        Row{"39990-40001,40098-40200", 96}, Row{"39999,40100", 100}, Row{"nonsense,,40005-", 99}}) {
    PortRange range = kHundred;
    range.reserve(reserved);
    EXPECT_EQ(range.usable(), usable) << reserved;
    ServerPorts ports(range);
    std::set<uint16_t> given;
    while (uint16_t port = ports.take(ip("0.0.0.0"), given.size()).number) given.insert(port);
    EXPECT_EQ(given.size(), usable) << reserved;
    for (uint16_t port : range.reserved) EXPECT_FALSE(given.contains(port)) << port;
  }
}

TEST(PortTable, ThreadsNeverGetTheSamePort) {
  ServerPorts ports(kHundred);
  std::array<std::atomic<int>, 100> holders{};
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, random = thread]() mutable {
      for (int i = 0; i < 5'000; ++i) {
        auto port = ports.take(ip("0.0.0.0"), random = mix64(random + 1));
        if (port.number == 0) continue;
        EXPECT_EQ(holders[port.number - 40'000].fetch_add(1), 0);
        holders[port.number - 40'000].fetch_sub(1);
        ports.give_back(port);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(PortTable, TheRangeLeavesPortsForOthers) {
  PortRange range = PortRange::of_this_machine();
  EXPECT_GT(range.first, 0);
  EXPECT_GT(range.count, 0u);
  EXPECT_LE(range.first + range.count, 65'536u);
}

}  // namespace
}  // namespace lb
