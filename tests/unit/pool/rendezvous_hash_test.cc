// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "servers.h"

namespace lb {
namespace {

Server* choose(const std::vector<Candidate>& candidates, const Balancer& balancer, uint64_t key,
               const Exclusions& excluded = {}) {
  return candidates[balancer.pick({key, 0, 0}, excluded)->index].server;
}

class EvenHash : public testing::TestWithParam<size_t> {};

TEST_P(EvenHash, SpreadsKeysEvenly) {
  size_t count = GetParam();
  Servers servers = Servers::equal(count);
  auto balancer = make_hash(servers.candidates());
  size_t keys = 40'000 * count;
  auto counts = count_picks(*balancer, count, keys);
  // Chi-squared: with a fair draw the sum has mean n - 1 and deviation sqrt(2 (n - 1)).
  double sum = 0;
  double expected = static_cast<double>(keys) / static_cast<double>(count);
  for (uint32_t picked : counts) sum += (picked - expected) * (picked - expected) / expected;
  double freedom = static_cast<double>(count) - 1;
  EXPECT_LT(sum, freedom + 5 * std::sqrt(2 * freedom) + 5);
  for (uint32_t picked : counts) EXPECT_NEAR(picked / expected, 1, 0.025);
}

INSTANTIATE_TEST_SUITE_P(Sizes, EvenHash, testing::Values(2, 3, 10, 100));

TEST(RendezvousHash, IsWithinOnePercentWithManyKeys) {
  Servers servers = Servers::equal(3);
  auto counts = count_picks(*make_hash(servers.candidates()), 3, 1'000'000);
  for (uint32_t picked : counts) EXPECT_NEAR(picked * 3 / 1e6, 1, 0.01);
}

TEST(RendezvousHash, KeysThatFollowEachOtherSpreadToo) {
  Servers servers = Servers::equal(10);
  auto balancer = make_hash(servers.candidates());
  std::vector<uint32_t> counts(10, 0);
  for (uint64_t key = 0; key < 100'000; ++key) ++counts[balancer->pick({key, 0, 0}, {})->index];
  for (uint32_t picked : counts) EXPECT_NEAR(picked, 10'000, 500);
}

TEST(RendezvousHash, SharesKeysByWeight) {
  std::vector<uint32_t> weights{1, 1, 2, 3, 10, 3};
  Servers servers(weights);
  constexpr uint32_t kKeys = 400'000;
  auto counts = count_picks(*make_hash(servers.candidates()), weights.size(), kKeys);
  for (size_t i = 0; i < weights.size(); ++i) {
    double expected = kKeys * weights[i] / 20.0;
    EXPECT_NEAR(counts[i], expected, 5 * std::sqrt(expected)) << i;
  }
}

TEST(RendezvousHash, AThousandDifferentWeightsShareByWeight) {
  std::vector<uint32_t> weights(1'000);
  std::iota(weights.begin(), weights.end(), 1U);
  Servers servers(weights);
  constexpr uint32_t kKeys = 200'000;
  auto counts = count_picks(*make_hash(servers.candidates()), weights.size(), kKeys);
  double light = 0;  // the lighter half has a quarter of the weight
  for (size_t i = 0; i < 500; ++i) light += counts[i];
  double share = 500.0 * 501 / (1'000.0 * 1'001);
  EXPECT_NEAR(light / kKeys, share, 5 * std::sqrt(share * (1 - share) / kKeys));
}

// Every way to lose a server moves exactly its own keys, each to its own next choice.
TEST(RendezvousHash, AServerThatGoesMovesOnlyItsOwnKeys) {
  for (const auto& weights :
       {std::vector<uint32_t>(7, 1), std::vector<uint32_t>{1, 2, 3, 4, 4, 2, 1}}) {
    Servers servers(weights);
    auto all = servers.candidates();
    auto balancer = make_hash(all);
    for (size_t gone = 0; gone < all.size(); ++gone) {
      auto rest = all;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(gone));
      auto without = make_hash(rest);
      Exclusions excluded = excluding({static_cast<uint32_t>(gone)});
      for (uint64_t i = 0; i < 5'000; ++i) {
        uint64_t key = mix64(i);
        Server* before = choose(all, *balancer, key);
        Server* after = choose(rest, *without, key);
        if (before != all[gone].server) {
          ASSERT_EQ(before, after);
        }
        ASSERT_EQ(after, choose(all, *balancer, key, excluded)) << "excluded is as good as gone";
      }
    }
  }
}

TEST(RendezvousHash, TheKeysOfAServerThatGoesSpreadOverAllOthers) {
  Servers servers = Servers::equal(5);
  auto balancer = make_hash(servers.candidates());
  std::vector<uint32_t> counts(5, 0);
  for (uint64_t i = 0; i < 100'000; ++i) {
    if (balancer->pick({mix64(i), 0, 0}, {})->index != 2) continue;
    ++counts[balancer->pick({mix64(i), 0, 0}, excluding({2}))->index];
  }
  EXPECT_EQ(counts[2], 0U);
  for (size_t i : {0U, 1U, 3U, 4U}) EXPECT_NEAR(counts[i], 5'000, 350);
}

TEST(RendezvousHash, MoreWeightOnlyDrawsKeysToThatServer) {
  Servers light({1, 1, 1, 1});
  Servers heavy({1, 2, 1, 1});
  auto before = make_hash(light.candidates());
  auto after = make_hash(heavy.candidates());
  for (uint64_t i = 0; i < 20'000; ++i) {
    uint32_t was = before->pick({mix64(i), 0, 0}, {})->index;
    uint32_t is = after->pick({mix64(i), 0, 0}, {})->index;
    if (was != is) {
      ASSERT_EQ(is, 1U);
    }
  }
}

TEST(RendezvousHash, NamesAndOrderDoNotMatter) {
  Servers here({});
  Servers there({});
  for (int i = 0; i < 20; ++i) {
    uint32_t weight = 1 + static_cast<uint32_t>(i) % 3;
    here.add(weight, "a" + std::to_string(i), "10.1.1." + std::to_string(i) + ":80");
  }
  for (int i = 19; i >= 0; --i) {
    uint32_t weight = 1 + static_cast<uint32_t>(i) % 3;
    there.add(weight, "b" + std::to_string(i * 7), "10.1.1." + std::to_string(i) + ":80");
  }
  auto a = here.candidates();
  auto b = there.candidates();
  auto hash_a = make_hash(a);
  auto hash_b = make_hash(b);
  for (uint64_t i = 0; i < 5'000; ++i) {
    ASSERT_EQ(choose(a, *hash_a, mix64(i))->address(), choose(b, *hash_b, mix64(i))->address());
  }
}

// Balancers of different versions and machines must agree: these servers were chosen once and for
// all. The weighted ones were found with floating-point logarithms, by another program.
TEST(RendezvousHash, ChoicesNeverChange) {
  Servers equal = Servers::equal(10);
  Servers weighted({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  auto a = make_hash(equal.candidates());
  auto b = make_hash(weighted.candidates());
  std::vector<uint32_t> equal_choices;
  std::vector<uint32_t> weighted_choices;
  for (uint64_t key = 0; key < 12; ++key) {
    equal_choices.push_back(a->pick({mix64(key), 0, 0}, {})->index);
    weighted_choices.push_back(b->pick({mix64(key), 0, 0}, {})->index);
  }
  EXPECT_EQ(equal_choices, (std::vector<uint32_t>{3, 6, 4, 6, 9, 4, 2, 2, 3, 6, 5, 8}));
  EXPECT_EQ(weighted_choices, (std::vector<uint32_t>{3, 6, 4, 6, 9, 7, 2, 5, 3, 6, 5, 8}));
  uint64_t checksum = 0;
  for (uint64_t key = 0; key < 20'000; ++key) {
    checksum = checksum * 31 + b->pick({mix64(key), 0, 0}, {})->index;
  }
  EXPECT_EQ(checksum, 0x602d6fcedd376fdfU);
}

TEST(RendezvousHash, ServersAtOneAddressShareItsKeys) {
  Servers servers({});
  servers.add(1, "blue", "10.0.0.1:80");
  servers.add(1, "green", "10.0.0.1:80");
  servers.add(1, "other", "10.0.0.2:80");
  auto counts = count_picks(*make_hash(servers.candidates()), 3, 30'000);
  for (uint32_t picked : counts) EXPECT_NEAR(picked, 10'000, 500);
}

TEST(HashSeeds, TwinsAreToldApartByNameNotByOrder) {
  Servers servers({});
  const Server* green = &servers.add(1, "green", "10.0.0.1:80");
  const Server* blue = &servers.add(1, "blue", "10.0.0.1:80");
  const Server* red = &servers.add(1, "red", "10.0.0.1:80");
  auto one = hash_seeds({green, blue, red});
  auto other = hash_seeds({red, green, blue});
  EXPECT_EQ(one[0], other[1]);
  EXPECT_EQ(one[1], other[2]);
  EXPECT_EQ(one[2], other[0]);
  EXPECT_EQ(one[1], hash_seeds({green})[0]) << "the first by name has the address's own seed";
  EXPECT_NE(one[0], one[1]);
  EXPECT_NE(one[0], one[2]);
  EXPECT_NE(one[1], one[2]);
}

TEST(RendezvousHash, NothingWhenAllAreExcluded) {
  Servers servers({1, 2});
  EXPECT_FALSE(make_hash(servers.candidates())->pick({}, excluding({0, 1})));
}

}  // namespace
}  // namespace lb
