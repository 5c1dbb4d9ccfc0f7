// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>
#include <numeric>

#include "pool/balancer.h"

namespace lb {

namespace {

constexpr uint64_t kMaxCycle = 65'536;
constexpr int kClaims = 8;
// How far to look along the order for a server that is not excluded.
constexpr uint64_t kMaxWalk = 1'024;

// The order of one full cycle: a server of weight w stands in it w times, evenly spread. Servers of
// one weight form a stream of turns, taken by each of them in turn; the t-th of T turns of a stream
// falls on the moment (2t + 1) / 2T of the cycle. Merging the streams by moment leaves no server
// further from its place than half a turn for each distinct weight.
std::vector<uint16_t> smooth_order(const std::vector<uint64_t>& weights, uint64_t cycle) {
  std::map<uint64_t, std::vector<uint16_t>, std::greater<>> streams;
  for (size_t i = 0; i < weights.size(); ++i) {
    streams[weights[i]].push_back(static_cast<uint16_t>(i));
  }
  struct Turn {
    uint64_t moment;
    uint16_t server;
  };
  std::vector<Turn> turns;
  turns.reserve(cycle);
  for (const auto& [weight, servers] : streams) {
    // 40 bits tell any two moments apart: with T <= 2^16 they differ by at least 2^-34.
    uint64_t total = weight * servers.size();
    for (uint64_t t = 0; t < total; ++t) {
      turns.push_back({((2 * t + 1) << 40) / (2 * total), servers[t % servers.size()]});
    }
  }
  // Stable: at the same moment the heavier stream goes first.
  if (streams.size() > 1) {
    std::stable_sort(turns.begin(), turns.end(),
                     [](const Turn& a, const Turn& b) { return a.moment < b.moment; });
  }
  std::vector<uint16_t> order;
  order.reserve(turns.size());
  for (const Turn& turn : turns) order.push_back(turn.server);
  return order;
}

// Smooth weighted round robin, exact across workers: positions of one precomputed cycle are handed
// out by one atomic addition, so that every full cycle gives each server exactly its weight.
// Weights are divided by their greatest common divisor. A cycle that would be longer than kMaxCycle
// is not stored: its positions are points of the golden-ratio sequence, which fill the range of the
// weights evenly (any N picks differ from the shares by a few picks, and in the long run not at
// all).
class RoundRobin : public Balancer {
 public:
  RoundRobin(const std::vector<Candidate>& candidates, std::atomic<uint64_t>& cursor)
      : size_(candidates.size()), cursor_(cursor) {
    std::vector<uint64_t> weights;
    uint64_t divisor = 0;
    for (const Candidate& candidate : candidates) {
      weights.push_back(candidate.weight);
      divisor = std::gcd(divisor, uint64_t{candidate.weight});
    }
    for (uint64_t& weight : weights) weight /= divisor;
    cycle_ = std::accumulate(weights.begin(), weights.end(), uint64_t{0});
    if (cycle_ <= kMaxCycle) {
      order_ = smooth_order(weights, cycle_);
    } else {
      ends_.resize(weights.size());
      std::partial_sum(weights.begin(), weights.end(), ends_.begin());
    }
  }

  std::optional<Pick> pick(const PickContext&, const Exclusions& excluded) const override {
    uint64_t position = cursor_.fetch_add(1, std::memory_order_relaxed);
    if (excluded.none()) return Pick{at(position), {}};
    if (excluded.count() >= size_) return {};
    // The turns of excluded servers are taken off the shared cursor along with the one that is
    // used; else whoever stands behind an excluded server would inherit its whole share.
    for (int claim = 0; claim < kClaims; ++claim) {
      auto found = next_allowed(position, excluded);
      if (!found) break;
      uint64_t expected = position + 1;
      if (*found == position ||
          cursor_.compare_exchange_strong(expected, *found + 1, std::memory_order_relaxed)) {
        return Pick{at(*found), {}};
      }
      position = cursor_.fetch_add(1, std::memory_order_relaxed);
    }
    return Pick{any_allowed(position, excluded), {}};
  }

 private:
  uint32_t at(uint64_t position) const {
    if (!order_.empty()) return order_[position % order_.size()];
    __extension__ using Wide = unsigned __int128;
    uint64_t point = position * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
    auto share = static_cast<uint64_t>(static_cast<Wide>(point) * cycle_ >> 64);
    auto end = std::upper_bound(ends_.begin(), ends_.end(), share);
    return static_cast<uint32_t>(end - ends_.begin());
  }

  std::optional<uint64_t> next_allowed(uint64_t position, const Exclusions& excluded) const {
    for (uint64_t end = position + kMaxWalk; position != end; ++position) {
      if (!excluded.contains(at(position))) return position;
    }
    return {};
  }

  // When nearly all the weight is excluded: some server is allowed, in turn as far as may be.
  uint32_t any_allowed(uint64_t position, const Exclusions& excluded) const {
    auto index = static_cast<uint32_t>(position % size_);
    while (excluded.contains(index)) index = index + 1 == size_ ? 0 : index + 1;
    return index;
  }

  size_t size_;
  uint64_t cycle_ = 0;
  std::vector<uint16_t> order_;  // empty when the cycle is too long
  std::vector<uint64_t> ends_;   // then: the sum of the weights up to and with each server
  std::atomic<uint64_t>& cursor_;
};

}  // namespace

std::unique_ptr<Balancer> make_round_robin(const std::vector<Candidate>& candidates,
                                           std::atomic<uint64_t>& cursor) {
  return std::make_unique<RoundRobin>(candidates, cursor);
}

}  // namespace lb
