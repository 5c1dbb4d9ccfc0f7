// SPDX-License-Identifier: MIT
#include "pool/balancer.h"

namespace lb {

namespace {

// So many servers beyond their bound are passed over one by one, then all of them at once.
constexpr int kOneByOne = 4;

// Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2016) for keys that
// have no server yet: the first of the key's servers whose work, with this piece, is at most 1.25
// times the mean for its weight, rounded up. Balancers that share nothing mostly agree, and still
// no server is given far more than its share.
class BoundedHash : public Balancer {
 public:
  explicit BoundedHash(const std::vector<Candidate>& candidates) : hash_(make_hash(candidates)) {
    for (const Candidate& candidate : candidates) {
      servers_.push_back({&candidate.server->active(), candidate.weight});
      weights_ += candidate.weight;
    }
  }

  std::optional<Pick> pick(const PickContext& context, const Exclusions& excluded) const override {
    auto first = hash_->pick(context, excluded);
    if (!first || context.by_order) return first;
    uint64_t work = 1;
    for (const Entry& entry : servers_) work += entry.active->load(std::memory_order_relaxed);
    if (has_room(first->index, work)) return first;
    // Kept between calls for its memory alone.
    thread_local Exclusions beyond;
    beyond = excluded;
    beyond.add(first->index);
    for (int i = 1;; ++i) {
      if (i == kOneByOne) add_all(beyond, work);
      auto next = hash_->pick(context, beyond);
      if (!next) return first;  // those with room may not be picked
      if (has_room(next->index, work)) return next;
      beyond.add(next->index);
    }
  }

 private:
  struct Entry {
    const LoadTable::Counter* active;
    uint64_t weight;
  };

  // active + 1 <= ceil(1.25 x work x weight / weights)
  bool has_room(uint32_t index, uint64_t work) const {
    const Entry& entry = servers_[index];
    uint64_t active = entry.active->load(std::memory_order_relaxed);
    return 4 * active * weights_ < 5 * work * entry.weight;
  }

  void add_all(Exclusions& beyond, uint64_t work) const {
    for (uint32_t i = 0; i < servers_.size(); ++i) {
      if (!has_room(i, work)) beyond.add(i);
    }
  }

  std::unique_ptr<Balancer> hash_;
  std::vector<Entry> servers_;
  uint64_t weights_ = 0;
};

}  // namespace

std::unique_ptr<Balancer> make_bounded_hash(const std::vector<Candidate>& candidates) {
  return std::make_unique<BoundedHash>(candidates);
}

}  // namespace lb
