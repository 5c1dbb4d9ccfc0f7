// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/hash.h"
#include "pool/balancer.h"
#include "pool/load_table.h"
#include "pool/server.h"

namespace lb {

// Servers of one pool with their load table, and the candidates that stand for them.
class Servers {
 public:
  // "s0" at 10.0.0.0:80, "s1" at 10.0.0.1:80 ...
  explicit Servers(const std::vector<uint32_t>& weights) {
    for (uint32_t weight : weights) add(weight);
  }
  static Servers equal(size_t count) { return Servers(std::vector<uint32_t>(count, 1)); }

  Server& add(uint32_t weight) {
    size_t i = servers_.size();
    return add(weight, "s" + std::to_string(i),
               "10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ":80");
  }
  Server& add(uint32_t weight, const std::string& name, const std::string& address) {
    servers_.push_back(
        std::make_unique<Server>("pool", name, Address::parse(address).value(), *load_, 1));
    weights_.push_back(weight);
    return *servers_.back();
  }

  std::vector<Candidate> candidates() const {
    std::vector<const Server*> all;
    for (const auto& server : servers_) all.push_back(server.get());
    std::vector<uint64_t> seeds = hash_seeds(all);
    std::vector<Candidate> result;
    for (size_t i = 0; i < servers_.size(); ++i) {
      result.push_back({servers_[i].get(), weights_[i], kNoLimit, seeds[i]});
    }
    return result;
  }

  Server& operator[](size_t index) { return *servers_[index]; }
  size_t size() const { return servers_.size(); }
  LoadTable& load() { return *load_; }
  std::atomic<uint64_t>& cursor() { return load_->cursor(); }
  uint32_t active(size_t index) const { return servers_[index]->active().load(); }
  void set_active(const std::vector<uint32_t>& active) {
    for (size_t i = 0; i < active.size(); ++i) servers_[i]->active().store(active[i]);
  }

 private:
  std::unique_ptr<LoadTable> load_ = std::make_unique<LoadTable>();
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<uint32_t> weights_;
};

// A repeatable stream of uniform numbers.
class Numbers {
 public:
  explicit Numbers(uint64_t seed = 1) : state_(mix64(seed)) {}
  uint64_t next() { return mix64(state_ += 0x9e3779b97f4a7c15); }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

// How often each of `servers` servers is picked in `picks` picks with fresh numbers and keys.
inline std::vector<uint32_t> count_picks(const Balancer& balancer, size_t servers, size_t picks,
                                         const Exclusions& excluded = {}) {
  std::vector<uint32_t> counts(servers, 0);
  Numbers numbers;
  for (size_t i = 0; i < picks; ++i) {
    PickContext context{numbers.next(), numbers.next(), 0};
    ++counts[balancer.pick(context, excluded)->index];
  }
  return counts;
}

inline Exclusions excluding(const std::vector<uint32_t>& indices) {
  Exclusions excluded;
  for (uint32_t index : indices) excluded.add(index);
  return excluded;
}

// Runs work(thread) on that many threads at once.
template <typename Work>
void run_threads(int threads, Work work) {
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back([&work, i] { work(i); });
  for (auto& thread : running) thread.join();
}

}  // namespace lb
