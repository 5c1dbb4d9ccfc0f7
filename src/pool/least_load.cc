// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <bit>

#include "pool/balancer.h"
#include "pool/reported_load.h"
#include "pool/weighted_draw.h"

namespace lb {

namespace {

// So many servers are all compared; of more, two drawn by weight.
constexpr size_t kMostCompared = 8;
// What an idle server counts as, so that work sent there shows.
constexpr double kLeastLoad = 0.05;
// Of the 64 values of six random bits.
constexpr uint64_t kAsksTheSilent = 63;
// How old the means of a large pool may be.
constexpr int64_t kMeansAge_ms = 10;

// The least loaded server by what servers report of themselves. A report fades into the pool's mean
// as it ages; until the next one comes, the work sent there since speaks for it, by what such work
// usually adds to the load (WorkCost) and by what of it is open, so that a server which has just
// reported little is not run over by everybody:
//
//   score = (load' + 0.05) x (1 + s / (weight x m))
//   load' = mean + (load - mean) x freshness     (1 when reported, 0 after three usual pauses)
//   load  = as the server would report it now
//   s     = work begun since the report and still open
//   m     = 1 + the mean of open work
//
// The weight is relative to the mean weight. Servers that report nothing count as the mean; where
// none does, or not for long, the choice is that of least_connections. Of a few servers one is
// always below the mean, so that who reports in responses alone and has not for long would get
// nothing, and never report again: while it has little to do it is asked now and then.
class LeastLoad : public Balancer {
 public:
  LeastLoad(const std::vector<Candidate>& candidates, LoadMetric metric,
            std::atomic<uint64_t>& cursor)
      : metric_(metric),
        draw_(candidates),
        least_connections_(make_least_connections(candidates, cursor)) {
    double sum = 0;
    for (const Candidate& candidate : candidates) sum += candidate.weight;
    double mean = sum / static_cast<double>(candidates.size());
    servers_.reserve(candidates.size());
    for (const Candidate& candidate : candidates) {
      servers_.push_back({candidate.server, candidate.weight / mean});
    }
  }

  std::optional<Pick> pick(const PickContext& context, const Exclusions& excluded) const override {
    if (excluded.count() >= servers_.size()) return {};
    Means means = this->means(context.now_ms);
    if (means.load < 0) return least_connections_->pick(context, excluded);
    if (servers_.size() <= kMostCompared) return best_of_all(context, excluded, means);
    auto drawn = draw_.two(context.random, excluded);
    if (!drawn) return {};
    if (!drawn->second) return Pick{drawn->first, {}};
    bool second =
        score(*drawn->second, means, context.now_ms) < score(drawn->first, means, context.now_ms);
    return Pick{second ? *drawn->second : drawn->first, {}};
  }

 private:
  struct Entry {
    Server* server;
    double weight;  // relative to the mean
  };
  struct Means {
    float load;  // of those that report; below 0: none does
    float open;  // work
  };

  // From any server on, so that equals share.
  Pick best_of_all(const PickContext& context, const Exclusions& excluded, Means means) const {
    auto size = static_cast<uint32_t>(servers_.size());
    auto start = static_cast<uint32_t>(context.random % size);
    std::optional<uint32_t> best;
    double best_score = 0;
    bool asks_the_silent = context.random >> 58 == kAsksTheSilent;
    for (uint32_t i = 0; i < size; ++i) {
      uint32_t index = (start + i) % size;
      if (excluded.contains(index)) continue;
      if (asks_the_silent && is_silent(*servers_[index].server, means, context.now_ms)) {
        return Pick{index, {}};
      }
      double its = score(index, means, context.now_ms);
      if (best && its >= best_score) continue;
      best = index;
      best_score = its;
    }
    return Pick{*best, {}};
  }

  bool is_silent(const Server& server, Means means, int64_t now_ms) const {
    auto open = static_cast<float>(server.active().load(std::memory_order_relaxed));
    return open < 1 + means.open && server.reported.view(metric_, now_ms).freshness == 0;
  }

  double score(uint32_t index, Means means, int64_t now_ms) const {
    const Entry& entry = servers_[index];
    const ReportedLoad& reported = entry.server->reported;
    ReportedLoad::View view = reported.view(metric_, now_ms);
    // As exact as the means: the only one that reports is as loaded as the mean.
    double load = means.load + (static_cast<float>(view.load) - means.load) * view.freshness;
    // Without a report all of a server's work began since.
    uint32_t since = reported.is_known() ? reported.begun_since()
                                         : entry.server->active().load(std::memory_order_relaxed);
    return (load + kLeastLoad) * (1 + since / (entry.weight * (1 + means.open)));
  }

  // Of a large pool they are computed by whoever finds them old, and shared.
  Means means(int64_t now_ms) const {
    if (servers_.size() <= kMostCompared) return compute_means(now_ms);
    int64_t computed_ms = means_ms_.load(std::memory_order_acquire);
    bool is_old = now_ms - computed_ms >= kMeansAge_ms || computed_ms == 0;
    if (is_old && means_ms_.compare_exchange_strong(computed_ms, std::max<int64_t>(now_ms, 1))) {
      Means means = compute_means(now_ms);
      means_.store(std::bit_cast<uint64_t>(means), std::memory_order_release);
      return means;
    }
    return std::bit_cast<Means>(means_.load(std::memory_order_acquire));
  }

  Means compute_means(int64_t now_ms) const {
    double loads = 0;
    double open = 0;
    uint32_t reporting = 0;
    for (const Entry& entry : servers_) {
      open += entry.server->active().load(std::memory_order_relaxed);
      ReportedLoad::View view = entry.server->reported.view(metric_, now_ms);
      if (view.freshness == 0) continue;
      loads += view.load;
      ++reporting;
    }
    open /= static_cast<double>(servers_.size());
    if (reporting == 0) return {-1, static_cast<float>(open)};
    return {static_cast<float>(loads / reporting), static_cast<float>(open)};
  }

  const LoadMetric metric_;
  std::vector<Entry> servers_;
  WeightedDraw draw_;
  std::unique_ptr<Balancer> least_connections_;
  mutable std::atomic<int64_t> means_ms_{0};
  mutable std::atomic<uint64_t> means_{std::bit_cast<uint64_t>(Means{-1, 0})};
};

}  // namespace

std::unique_ptr<Balancer> make_least_load(const std::vector<Candidate>& candidates,
                                          LoadMetric metric, std::atomic<uint64_t>& cursor) {
  return std::make_unique<LeastLoad>(candidates, metric, cursor);
}

}  // namespace lb
