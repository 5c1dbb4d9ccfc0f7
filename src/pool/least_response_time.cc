// SPDX-License-Identifier: MIT
#include "common/hash.h"
#include "pool/balancer.h"
#include "pool/weighted_draw.h"

namespace lb {

namespace {

// Added to every average: differences well below a millisecond are noise of the network and of our
// own event loop, and chasing them would only make the load uneven.
constexpr double kNoiseUs = 1'000;

// Peak EWMA over two random choices, after Finagle's P2CPeakEwma, softened. Two distinct servers
// are drawn by weight. A server costs (average time + kNoiseUs) x (1 + its work, relative to its
// weight). The first drawn is taken with probability min(1, cost of the second / its own cost),
// else the second. Where costs are equal the shares are therefore exactly the weights; a spike
// lowers a server's share in proportion and never to nothing, so that it is measured again soon; a
// server ten times slower than the rest gets about a quarter of its fair share. (Always taking the
// cheaper one, as Finagle does, starves a server for seconds after a single slow answer.) A server
// that was never measured counts as fast as the other one drawn.
class LeastResponseTime : public Balancer {
 public:
  explicit LeastResponseTime(const std::vector<Candidate>& candidates) : draw_(candidates) {
    double sum = 0;
    for (const Candidate& candidate : candidates) sum += candidate.weight;
    double mean = sum / static_cast<double>(candidates.size());
    servers_.reserve(candidates.size());
    for (const Candidate& candidate : candidates) {
      servers_.push_back({candidate.server, mean / candidate.weight});
    }
  }

  std::optional<Pick> pick(const PickContext& context, const Exclusions& excluded) const override {
    auto drawn = draw_.two(context.random, excluded);
    if (!drawn) return {};
    if (!drawn->second) return Pick{drawn->first, {}};
    const Entry& first = servers_[drawn->first];
    const Entry& second = servers_[*drawn->second];
    double first_us = first.server->latency.average_us(context.now_ms);
    double second_us = second.server->latency.average_us(context.now_ms);
    if (first_us == 0) first_us = second_us;
    if (second_us == 0) second_us = first_us;
    // A number in [0, 1) that does not depend on the bits which made the draw.
    double chance = static_cast<double>(mix64(context.random) >> 11) * 0x1p-53;
    bool keep = chance * cost(first, first_us) < cost(second, second_us);
    return Pick{keep ? drawn->first : *drawn->second, {}};
  }

 private:
  struct Entry {
    Server* server;
    double load_of_one;  // the mean weight / its own
  };

  static double cost(const Entry& entry, double average_us) {
    double active = entry.server->active().load(std::memory_order_relaxed);
    return (average_us + kNoiseUs) * (1 + active * entry.load_of_one);
  }

  WeightedDraw draw_;
  std::vector<Entry> servers_;
};

}  // namespace

std::unique_ptr<Balancer> make_least_response_time(const std::vector<Candidate>& candidates) {
  return std::make_unique<LeastResponseTime>(candidates);
}

}  // namespace lb
