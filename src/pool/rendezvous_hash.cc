// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "common/hash.h"
#include "pool/balancer.h"

namespace lb {

namespace {

__extension__ using Wide = unsigned __int128;

// Two multiplications: the comparison of two servers looks at the high bits, which by then depend
// on every bit of key and seed.
constexpr uint64_t score(uint64_t key, uint64_t seed) {
  uint64_t x = (key ^ seed) * 0x9fb21c651e98df25;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  return x;
}

constexpr int kSeriesTerms = 10;
constexpr int kLogBits = 57;
constexpr uint64_t kLn2 = 0x162e42fefa39ef3;  // ln 2 x 2^57

// 1, 1/3, 1/5 ... x 2^62
constexpr auto kOddReciprocals = [] {
  std::array<uint64_t, kSeriesTerms> terms{};
  for (size_t i = 0; i < terms.size(); ++i) terms[i] = (uint64_t{1} << 62) / (2 * i + 1);
  return terms;
}();

// -ln((hash + 1) / 2^64) x 2^57, in integers only: std::log may differ in its last bit between two
// machines, and a key on the edge would then have two servers. The fraction is brought to
// t in [1/2, 1); with s = (1 - t) / (1 + t) <= 1/3, -ln t = 2 (s + s^3/3 + s^5/5 ...), whose terms
// after the tenth are below 2^-31 of the sum.
uint64_t negative_log(uint64_t hash) {
  if (hash == UINT64_MAX) return 0;
  uint64_t u = hash + 1;
  int halvings = std::countl_zero(u);
  uint64_t t = u << halvings;
  uint64_t one_minus_t = 0 - t;
  uint64_t half_one_plus_t = (uint64_t{1} << 63) + t / 2;
  auto s = static_cast<uint64_t>((Wide{one_minus_t} << 61) / half_one_plus_t);
  auto square = static_cast<uint64_t>(Wide{s} * s >> 62);
  uint64_t sum = 0;
  for (size_t i = kOddReciprocals.size(); i-- > 0;) {
    sum = kOddReciprocals[i] + static_cast<uint64_t>(Wide{square} * sum >> 62);
  }
  auto log_t = static_cast<uint64_t>(Wide{s} * sum >> (62 + 62 - kLogBits - 1));
  return static_cast<uint64_t>(halvings) * kLn2 + log_t;
}

// Weighted rendezvous hashing: every server draws a number for the key, the best number wins
// (highest random weight, Thaler and Ravishankar 1998), by weight as in Schindelhauer and Schomaker
// 2005: the least -ln(u) / weight. There is no table: a server that goes moves only its own keys,
// each to that key's next choice, and one that comes takes only the keys that it wins. The same on
// every machine: seeds stand for addresses, and the arithmetic is on integers.
//
// Within one weight the largest hash wins, so that the pass over the servers is a tight loop over
// flat seeds, and one logarithm per distinct weight decides between the winners.
class RendezvousHash : public Balancer {
 public:
  explicit RendezvousHash(const std::vector<Candidate>& candidates) {
    std::vector<uint32_t> order(candidates.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const Candidate& left = candidates[a];
      const Candidate& right = candidates[b];
      if (left.weight != right.weight) return left.weight > right.weight;
      return left.hash_seed < right.hash_seed;
    });
    for (uint32_t index : order) {
      const Candidate& candidate = candidates[index];
      if (classes_.empty() || classes_.back().weight != candidate.weight) {
        classes_.push_back({candidate.weight, seeds_.size(), seeds_.size()});
      }
      ++classes_.back().end;
      seeds_.push_back(candidate.hash_seed);
      indices_.push_back(index);
    }
  }

  std::optional<Pick> pick(const PickContext& context, const Exclusions& excluded) const override {
    if (excluded.count() >= seeds_.size()) return {};
    if (excluded.none()) {
      return choose([&](const WeightClass& c) { return winner(c, context.key_hash); });
    }
    return choose([&](const WeightClass& c) { return winner(c, context.key_hash, excluded); });
  }

 private:
  struct WeightClass {
    uint32_t weight;
    size_t begin;  // in seeds_
    size_t end;
  };
  struct Winner {
    size_t place = SIZE_MAX;  // in seeds_; SIZE_MAX: all excluded
    uint64_t hash = 0;
  };

  Winner winner(const WeightClass& c, uint64_t key) const {
    Winner best{c.begin, score(key, seeds_[c.begin])};
    for (size_t i = c.begin + 1; i < c.end; ++i) {
      uint64_t hash = score(key, seeds_[i]);
      // Two conditional moves: the branch would be mispredicted at every new best.
      if (hash > best.hash) best = {i, hash};
    }
    return best;
  }

  Winner winner(const WeightClass& c, uint64_t key, const Exclusions& excluded) const {
    Winner best;
    for (size_t i = c.begin; i < c.end; ++i) {
      uint64_t hash = score(key, seeds_[i]);
      if (best.place != SIZE_MAX && hash <= best.hash) continue;
      if (!excluded.contains(indices_[i])) best = {i, hash};
    }
    return best;
  }

  template <typename WinnerOf>
  std::optional<Pick> choose(WinnerOf winner_of) const {
    if (classes_.size() == 1) return Pick{indices_[winner_of(classes_[0]).place], {}};
    size_t best = SIZE_MAX;
    uint64_t best_log = 0;
    uint64_t best_weight = 0;
    for (const WeightClass& c : classes_) {
      Winner candidate = winner_of(c);
      if (candidate.place == SIZE_MAX) continue;
      if (best != SIZE_MAX) {
        // -ln(u) >= 1 - u: most classes of a pool with many weights lose without a logarithm.
        uint64_t least_log = ~candidate.hash >> (64 - kLogBits);
        if (Wide{least_log} * best_weight >= Wide{best_log} * c.weight) continue;
      }
      uint64_t log = negative_log(candidate.hash);
      if (best == SIZE_MAX || Wide{log} * best_weight < Wide{best_log} * c.weight) {
        best = candidate.place;
        best_log = log;
        best_weight = c.weight;
      }
    }
    return Pick{indices_[best], {}};
  }

  std::vector<WeightClass> classes_;
  std::vector<uint64_t> seeds_;    // by class
  std::vector<uint32_t> indices_;  // of the candidates, beside seeds_
};

}  // namespace

std::unique_ptr<Balancer> make_hash(const std::vector<Candidate>& candidates) {
  return std::make_unique<RendezvousHash>(candidates);
}

std::vector<uint64_t> hash_seeds(const std::vector<const Server*>& servers) {
  std::vector<uint64_t> seeds;
  seeds.reserve(servers.size());
  for (const Server* server : servers) seeds.push_back(hash64(server->address().to_string()));
  std::vector<size_t> order(servers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (seeds[a] != seeds[b]) return seeds[a] < seeds[b];
    return servers[a]->name() < servers[b]->name();
  });
  uint64_t shared = 0;  // the address's own seed
  uint64_t twins = 0;   // servers that had it before
  for (size_t i = 0; i < order.size(); ++i) {
    uint64_t& seed = seeds[order[i]];
    twins = i > 0 && seed == shared ? twins + 1 : 0;
    shared = seed;
    if (twins > 0) seed = mix64(seed + twins);
  }
  return seeds;
}

}  // namespace lb
