// SPDX-License-Identifier: MIT
#include <algorithm>

#include "pool/balancer.h"

namespace lb {

namespace {

// Servers that take turns as long as their window lasts: about as many as a worker has requests
// under way.
constexpr uint32_t kWindow = 64;
// In which all windows of a pool have had their time.
constexpr uint32_t kCycle_ms = 250;

// The server with the least (work + 1) / weight. Scans every counter (they are packed: a thousand
// in 0.7 microseconds) and says what it saw, so that the caller's compare-and-swap makes the
// choice exact across workers. It ends early at an idle server of the highest weight, which nothing
// can beat.
//
// Ties are served in turn: the scan begins behind the last pick. In a large pool of which few
// servers are busy that would ask another server each time, over a connection that has gone cold.
// So the servers of one window (64 to 127) take turns, and after its time, or one turn if that
// takes longer, those of the next one: four times a second all have had the same. Nobody gets more
// work at a time than without windows, since only ties are decided by them. Where weights differ
// (with slow_start for a while) all servers are one window.
class LeastConnections : public Balancer {
 public:
  LeastConnections(const std::vector<Candidate>& candidates, std::atomic<uint64_t>& cursor)
      : windows_(count_windows(candidates)), cursor_(cursor) {
    active_.reserve(candidates.size());
    weights_.reserve(candidates.size());
    for (const Candidate& candidate : candidates) {
      active_.push_back(&candidate.server->active());
      weights_.push_back(candidate.weight);
      max_weight_ = std::max(max_weight_, candidate.weight);
    }
  }

  std::optional<Pick> pick(const PickContext& context, const Exclusions& excluded) const override {
    if (excluded.count() >= active_.size()) return {};
    Cursor cursor = Cursor::of(cursor_.load(std::memory_order_relaxed));
    cursor.next %= size();
    Best best = excluded.none()
                    ? scan_from(cursor.next, [](uint32_t) { return true; })
                    : scan_from(cursor.next, [&](uint32_t i) { return !excluded.contains(i); });
    advance(cursor, best.index, static_cast<uint32_t>(context.now_ms));
    // A plain store: two workers that cross here share a start, and the counters part them.
    cursor_.store(cursor.packed(), std::memory_order_relaxed);
    return Pick{best.index, best.active};
  }

 private:
  static uint32_t count_windows(const std::vector<Candidate>& candidates) {
    bool is_equal = std::all_of(candidates.begin(), candidates.end(), [&](const Candidate& one) {
      return one.weight == candidates.front().weight;
    });
    return is_equal ? std::max(1U, static_cast<uint32_t>(candidates.size()) / kWindow) : 1;
  }

  // Where the next scan begins, and since when its window has had its time.
  struct Cursor {
    uint32_t next;
    uint32_t since_ms;

    static Cursor of(uint64_t packed) {
      return {static_cast<uint32_t>(packed), static_cast<uint32_t>(packed >> 32)};
    }
    uint64_t packed() const { return uint64_t{since_ms} << 32 | next; }
  };

  struct Best {
    uint32_t index = 0;
    uint32_t active = 0;
    uint32_t weight = 0;  // worse than any server's
  };

  uint32_t size() const { return static_cast<uint32_t>(active_.size()); }
  // Windows differ by one server at most.
  uint32_t begin_of(uint32_t window) const {
    return static_cast<uint32_t>(uint64_t{window} * size() / windows_);
  }
  uint32_t window_of(uint32_t index) const {
    return static_cast<uint32_t>(((uint64_t{index} + 1) * windows_ - 1) / size());
  }

  // Behind a pick. One outside of the window is of a time when all in it were busy: the next one
  // will be sought from the same place, unless its time is over.
  void advance(Cursor& cursor, uint32_t picked, uint32_t now_ms) const {
    uint32_t window = window_of(cursor.next);
    uint32_t end = begin_of(window + 1);
    bool is_inside = window_of(picked) == window;
    if (is_inside) cursor.next = picked + 1;
    if (is_inside && cursor.next < end) return;
    bool is_over = now_ms - cursor.since_ms >= kCycle_ms / windows_;
    if (is_over) cursor = {end == size() ? 0 : end, now_ms};
    if (!is_over && is_inside) cursor.next = begin_of(window);
  }

  template <typename Allowed>
  Best scan_from(uint32_t start, Allowed allowed) const {
    Best best;
    if (!scan(start, size(), allowed, best)) scan(0, start, allowed, best);
    return best;
  }

  // True when nothing can be better than what it found.
  template <typename Allowed>
  bool scan(uint32_t from, uint32_t to, Allowed allowed, Best& best) const {
    uint64_t best_cost = uint64_t{best.active} + 1;
    for (uint32_t i = from; i < to; ++i) {
      uint32_t active = active_[i]->load(std::memory_order_relaxed);
      uint64_t cost = uint64_t{active} + 1;
      // a / v < b / w without division; a tie stays with the first found.
      if (cost * best.weight >= best_cost * weights_[i] || !allowed(i)) continue;
      best = {i, active, weights_[i]};
      best_cost = cost;
      if (active == 0 && weights_[i] == max_weight_) return true;
    }
    return false;
  }

  std::vector<const LoadTable::Counter*> active_;
  std::vector<uint32_t> weights_;
  uint32_t max_weight_ = 0;
  const uint32_t windows_;
  std::atomic<uint64_t>& cursor_;
};

}  // namespace

std::unique_ptr<Balancer> make_least_connections(const std::vector<Candidate>& candidates,
                                                 std::atomic<uint64_t>& cursor) {
  return std::make_unique<LeastConnections>(candidates, cursor);
}

}  // namespace lb
