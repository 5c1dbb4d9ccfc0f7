// SPDX-License-Identifier: MIT
#include "pool/weighted_draw.h"

#include <algorithm>

#include "common/hash.h"

namespace lb {

namespace {

constexpr int kDraws = 8;

// A point in [0, size) for a number of 64 random bits.
uint64_t point_in(uint64_t size, uint64_t random) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(Wide{random} * size >> 64);
}

}  // namespace

WeightedDraw::WeightedDraw(const std::vector<Candidate>& candidates) {
  uint64_t sum = 0;
  ends_.reserve(candidates.size());
  for (const Candidate& candidate : candidates) ends_.push_back(sum += candidate.weight);
}

std::optional<WeightedDraw::Two> WeightedDraw::two(uint64_t random,
                                                   const Exclusions& excluded) const {
  if (excluded.count() >= ends_.size()) return {};
  Two drawn;
  drawn.first = one(random, excluded, {});
  if (excluded.count() + 1 < ends_.size()) {
    drawn.second = one(mix64(~random), excluded, drawn.first);
  }
  return drawn;
}

uint32_t WeightedDraw::one(uint64_t random, const Exclusions& excluded, Without without) const {
  // Points are drawn on what is left when `without` is cut out.
  uint64_t cut_start = without ? start(*without) : ends_.back();
  uint64_t cut = without ? weight(*without) : 0;
  for (int i = 0; i < kDraws; ++i) {
    uint64_t point = point_in(ends_.back() - cut, random);
    if (point >= cut_start) point += cut;
    auto index =
        static_cast<uint32_t>(std::upper_bound(ends_.begin(), ends_.end(), point) - ends_.begin());
    if (!excluded.contains(index)) return index;
    random = mix64(random);
  }
  return walk(random, excluded, without);
}

uint32_t WeightedDraw::walk(uint64_t random, const Exclusions& excluded, Without without) const {
  auto allowed = [&](uint32_t i) { return i != without && !excluded.contains(i); };
  uint64_t sum = 0;
  for (uint32_t i = 0; i < ends_.size(); ++i) {
    if (allowed(i)) sum += weight(i);
  }
  uint64_t point = point_in(sum, random);
  for (uint32_t i = 0;; ++i) {
    if (!allowed(i)) continue;
    if (point < weight(i)) return i;
    point -= weight(i);
  }
}

}  // namespace lb
