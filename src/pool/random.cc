// SPDX-License-Identifier: MIT
#include "pool/balancer.h"
#include "pool/weighted_draw.h"

namespace lb {

namespace {

// The power of two choices (Mitzenmacher 2001): of two distinct servers drawn by weight the one
// with less work for its weight. A tie goes to the first drawn, so that idle servers share by
// weight.
class Random : public Balancer {
 public:
  explicit Random(const std::vector<Candidate>& candidates) : draw_(candidates) {
    servers_.reserve(candidates.size());
    for (const Candidate& candidate : candidates) {
      servers_.push_back({&candidate.server->active(), candidate.weight});
    }
  }

  std::optional<Pick> pick(const PickContext& context, const Exclusions& excluded) const override {
    auto drawn = draw_.two(context.random, excluded);
    if (!drawn) return {};
    if (drawn->second && busier(servers_[drawn->first], servers_[*drawn->second])) {
      return Pick{*drawn->second, {}};
    }
    return Pick{drawn->first, {}};
  }

 private:
  struct Entry {
    const LoadTable::Counter* active;
    uint64_t weight;
  };

  static bool busier(const Entry& a, const Entry& b) {
    return a.active->load(std::memory_order_relaxed) * b.weight >
           b.active->load(std::memory_order_relaxed) * a.weight;
  }

  WeightedDraw draw_;
  std::vector<Entry> servers_;
};

}  // namespace

std::unique_ptr<Balancer> make_random(const std::vector<Candidate>& candidates) {
  return std::make_unique<Random>(candidates);
}

}  // namespace lb
