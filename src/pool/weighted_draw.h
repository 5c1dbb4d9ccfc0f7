// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pool/balancer.h"

namespace lb {

// Draws two distinct servers at random, each draw by weight: what the "best of two" balancers
// choose from. Immutable; any thread. A draw is a binary search, repeated when it hits an excluded
// server; only where most of the weight is excluded it walks over all servers.
class WeightedDraw {
 public:
  struct Two {
    uint32_t first = 0;
    std::optional<uint32_t> second;  // absent when only one server is allowed
  };

  explicit WeightedDraw(const std::vector<Candidate>& candidates);

  // Nothing when every server is excluded.
  std::optional<Two> two(uint64_t random, const Exclusions& excluded) const;

 private:
  using Without = std::optional<uint32_t>;

  uint64_t weight(uint32_t index) const { return ends_[index] - start(index); }
  uint64_t start(uint32_t index) const { return index == 0 ? 0 : ends_[index - 1]; }
  // Some server is neither excluded nor `without`.
  uint32_t one(uint64_t random, const Exclusions& excluded, Without without) const;
  uint32_t walk(uint64_t random, const Exclusions& excluded, Without without) const;

  std::vector<uint64_t> ends_;  // the sum of the weights up to and with each server
};

}  // namespace lb
