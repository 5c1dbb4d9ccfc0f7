// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "config/config.h"
#include "pool/load_table.h"
#include "pool/server.h"

namespace lb {

inline constexpr uint32_t kNoLimit = UINT32_MAX;

// A server as one snapshot of its pool sees it.
struct Candidate {
  Server* server = nullptr;
  uint32_t weight = 1;        // 1–1000, or more where it stands for hundredths or less
  uint32_t limit = kNoLimit;  // max_connections
  uint64_t hash_seed = 0;     // stands for the server in hash balancers; see hash_seeds()
};

// The candidates of a group that may not be picked: tried already, full, or avoided. Cheap to make
// empty; takes memory only when it grows beyond what it once held. One worker.
class Exclusions {
 public:
  void clear() {
    bits_.clear();
    count_ = 0;
  }
  bool none() const { return count_ == 0; }
  size_t count() const { return count_; }
  bool contains(uint32_t index) const {
    size_t word = index / 64;
    return word < bits_.size() && (bits_[word] >> (index % 64) & 1) != 0;
  }
  void add(uint32_t index) {
    if (contains(index)) return;
    size_t word = index / 64;
    if (word >= bits_.size()) bits_.resize(word + 1);
    bits_[word] |= uint64_t{1} << (index % 64);
    ++count_;
  }

 private:
  std::vector<uint64_t> bits_;
  size_t count_ = 0;
};

// What a pick may depend on besides the servers.
struct PickContext {
  uint64_t key_hash = 0;  // hash balancers: hash64() of the key
  uint64_t random = 0;    // a fresh uniform number
  int64_t now_ms = 0;     // monotonic
  bool by_order = false;  // bounded hash: the first of the key's servers, however busy it is
};

struct Pick {
  uint32_t index = 0;
  // The count that the choice rests on: the caller adds its own only if the counter still stands
  // there, else it asks again. Absent where the choice does not depend on it.
  std::optional<uint32_t> seen;
};

// Chooses among the servers of one group. Immutable and shared by all workers (positions and counts
// are atomics of the LoadTable); rebuilt when the group changes. One algorithm, one small file.
class Balancer {
 public:
  virtual ~Balancer() = default;
  // Nothing when every candidate is excluded. Never allocates, never blocks.
  virtual std::optional<Pick> pick(const PickContext& context,
                                   const Exclusions& excluded) const = 0;
};

// `candidates` is not empty and has no weight 0; its Servers outlive the balancer, the vector need
// not. `cursor` belongs to the pool's LoadTable and outlives the balancer too.
std::unique_ptr<Balancer> make_round_robin(const std::vector<Candidate>& candidates,
                                           std::atomic<uint64_t>& cursor);
std::unique_ptr<Balancer> make_least_connections(const std::vector<Candidate>& candidates,
                                                 std::atomic<uint64_t>& cursor);
std::unique_ptr<Balancer> make_least_response_time(const std::vector<Candidate>& candidates);
// By `metric` of what the servers report; see pool/reported_load.h.
std::unique_ptr<Balancer> make_least_load(const std::vector<Candidate>& candidates,
                                          LoadMetric metric, std::atomic<uint64_t>& cursor);
std::unique_ptr<Balancer> make_random(const std::vector<Candidate>& candidates);
// Weighted rendezvous hashing: for source_ip_hash and hash. Needs the candidates' hash_seed.
std::unique_ptr<Balancer> make_hash(const std::vector<Candidate>& candidates);

// The same with a bound on each server's load, for keys that stick to the server they get.
std::unique_ptr<Balancer> make_bounded_hash(const std::vector<Candidate>& candidates);

// Of those that choose by a key, whose servers keep theirs as long as they can.
bool is_hash(Balance algorithm);

// The one that the pool's configuration names.
std::unique_ptr<Balancer> make_balancer(const PoolConfig& config,
                                        const std::vector<Candidate>& candidates,
                                        std::atomic<uint64_t>& cursor);

// One seed for each server: made of its address alone, so that every machine with the same servers
// agrees, whatever they are called and however they are ordered. Servers that share one address are
// told apart by the order of their names; the first keeps the seed it would have alone.
std::vector<uint64_t> hash_seeds(const std::vector<const Server*>& servers);

}  // namespace lb
