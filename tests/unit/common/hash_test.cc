// SPDX-License-Identifier: MIT
#include "common/hash.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>
#include <string>
#include <vector>

namespace lb {
namespace {

using std::string_literals::operator""s;

// Server tables of different machines and versions must agree: these values never change.
TEST(Hash64, NeverChanges) {
  struct Row {
    std::string bytes;
    uint64_t seed;
    uint64_t hash;
  };
  const Row rows[] = {
      {"", 0, 0xc629d5ba178743a7},
      {"a", 0, 0x768bbcbfe48ec2ad},
      {"a", 1, 0xab1d9173499b0bdf},
      {"10.0.0.21:8080", 0, 0xf084b888192f7e05},
      {"/a/path?with=query", 0, 0xd6600e1feca9bece},
      {"\x0a\x00\x00\x01"s, 0, 0xf6f7840e6e7258d2},
      {"\x0a\x00\x00\x01\xd4\x31"s, 0, 0x10906458cf05c25b},
      {std::string(8, '\xff'), 0, 0x9b42db59c9d3a084},
      {std::string(16, '\0'), 0, 0x77629c7450729503},
      {std::string(17, '\x80'), UINT64_MAX, 0xe9fbfe9e84b9e4b3},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(hash64(row.bytes, row.seed), row.hash)
        << fmt::format("{:?} seed {}: {:#018x}", row.bytes, row.seed, hash64(row.bytes, row.seed));
  }
}

TEST(Mix64, NeverChanges) {
  EXPECT_EQ(mix64(0), 0xe220a8397b1dcdaf);  // the first output of splitmix64 seeded with 0
  EXPECT_EQ(mix64(1), 0x910a2dec89025cc1);
  EXPECT_EQ(mix64(UINT64_MAX), 0xe4d971771b652c20);
}

TEST(Hash64, DependsOnEveryByteTheLengthAndTheSeed) {
  std::set<uint64_t> seen;
  size_t made = 0;
  auto add = [&](const std::string& bytes, uint64_t seed) {
    seen.insert(hash64(bytes, seed));
    ++made;
  };
  for (size_t length = 0; length <= 40; ++length) {
    add(std::string(length, '\0'), 0);
    for (size_t i = 0; i < length; ++i) {
      for (char c : {'\1', '\x80', '\xff'}) {
        std::string bytes(length, '\0');
        bytes[i] = c;
        add(bytes, 0);
      }
    }
    for (uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{1} << 63, UINT64_MAX}) {
      add(std::string(length, '\0'), seed);
    }
  }
  EXPECT_EQ(seen.size(), made);
}

// A word equal to the function's own constant makes a factor of the multiplication zero.
TEST(Hash64, KeepsWhatCameBeforeAWordThatMultipliesByZero) {
  const std::string zeroing = "\x2f\x64\xbd\x78\x64\x1d\x76\xa0";
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(hash64(fmt::format("{:08}", i) + zeroing));
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_NE(hash64(zeroing, 1), hash64(zeroing, 2));
}

// Chi-squared over buckets: with 999 degrees of freedom the statistic is 999 ± 45 (one deviation)
// for a uniform hash; the bound is five of them.
TEST(Hash64, SpreadsSimilarKeysEvenly) {
  constexpr size_t kBuckets = 1000;
  constexpr size_t kKeys = 100'000;
  struct Row {
    const char* name;
    std::string (*key)(size_t i);
  };
  const Row rows[] = {
      {"IPv4 neighbours",
       [](size_t i) {
         return std::string{10, static_cast<char>(i >> 16), static_cast<char>(i >> 8),
                            static_cast<char>(i)};
       }},
      {"IPv6 neighbours",
       [](size_t i) {
         std::string key = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0"s;
         for (int shift : {16, 8, 0}) key.push_back(static_cast<char>(i >> shift));
         return key;
       }},
      {"IPv6 networks",
       [](size_t i) {
         std::string key = "\x20\x01\x0d\xb8"s;
         for (int shift : {16, 8, 0}) key.push_back(static_cast<char>(i >> shift));
         return key + std::string(9, '\0');
       }},
      {"numbered names", [](size_t i) { return fmt::format("10.0.0.21:{}", i); }},
      {"paths", [](size_t i) { return fmt::format("/shop/item/{}/picture.jpg", i); }},
  };
  for (const Row& row : rows) {
    std::vector<double> low(kBuckets);
    std::vector<double> high(kBuckets);
    for (size_t i = 0; i < kKeys; ++i) {
      uint64_t hash = hash64(row.key(i));
      low[hash % kBuckets] += 1;
      high[(hash >> 32) % kBuckets] += 1;
    }
    for (const auto* counts : {&low, &high}) {
      double expected = double{kKeys} / kBuckets;
      double chi_squared = 0;
      for (double count : *counts) chi_squared += std::pow(count - expected, 2) / expected;
      EXPECT_LT(chi_squared, 999 + 5 * 45) << row.name;
      EXPECT_GT(chi_squared, 999 - 5 * 45) << row.name;
    }
  }
}

TEST(Hash64, ChangesHalfOfItsBitsWithEveryBitOfTheKey) {
  for (size_t length : {size_t{4}, size_t{8}, size_t{16}, size_t{18}, size_t{30}}) {
    for (size_t bit = 0; bit < length * 8; ++bit) {
      double changed = 0;
      constexpr int kKeys = 500;
      for (int i = 0; i < kKeys; ++i) {
        std::string key = fmt::format("{:030}", i * 7919).substr(30 - length);
        std::string other = key;
        other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
        changed += std::popcount(hash64(key) ^ hash64(other));
      }
      EXPECT_NEAR(changed / kKeys, 32.0, 1.5) << "bit " << bit << " of " << length << " bytes";
    }
  }
}

}  // namespace
}  // namespace lb
