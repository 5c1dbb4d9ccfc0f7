// SPDX-License-Identifier: MIT
#include "net/rate_limit.h"

#include <algorithm>

#include "common/hash.h"
#include "common/random.h"

namespace lb {

void TokenRate::set(const std::optional<Rate>& rate) {
  if (!rate) return token_ns_.store(0, std::memory_order_relaxed);
  int64_t token_ns =
      std::max<int64_t>(std::chrono::nanoseconds(rate->period).count() / rate->count, 1);
  burst_ns_.store(token_ns * std::max<int64_t>(rate->burst, 1), std::memory_order_relaxed);
  token_ns_.store(token_ns, std::memory_order_relaxed);
}

std::optional<int64_t> TokenRate::take(int64_t full_at_ns, int64_t now_ns) const {
  int64_t next_ns = std::max(full_at_ns, now_ns) + token_ns_.load(std::memory_order_relaxed);
  if (next_ns > empty(now_ns)) return {};
  return next_ns;
}

int64_t TokenRate::wait_ns(int64_t full_at_ns, int64_t now_ns) const {
  return std::max<int64_t>(full_at_ns + token_ns_.load(std::memory_order_relaxed) - empty(now_ns),
                           1);
}

bool RateLimit::take(int64_t now_us) {
  int64_t now_ns = now_us * 1'000;
  int64_t full_at_ns = full_at_ns_.load(std::memory_order_relaxed);
  while (true) {
    auto next_ns = rate.take(full_at_ns, now_ns);
    int64_t wanted_ns = next_ns ? *next_ns : std::min(full_at_ns, rate.empty(now_ns));
    if (!next_ns && wanted_ns == full_at_ns) return false;
    if (full_at_ns_.compare_exchange_weak(full_at_ns, wanted_ns, std::memory_order_relaxed)) {
      return next_ns.has_value();
    }
  }
}

SourceRates::SourceRates() : seed_(random_word()) {}

void SourceRates::set(const std::optional<Rate>& rate) {
  rate_.set(rate);
}

int64_t SourceRates::wait_ns(uint64_t source, int64_t now_us) {
  if (!rate_.is_set()) return 0;
  uint64_t hash = mix64(source ^ seed_);
  Shard& shard = shards_[hash % kShards];
  std::lock_guard lock(shard.mutex);
  if (!shard.sets) shard.sets = std::make_unique<std::array<Set, kSets>>();
  Set& set = (*shard.sets)[hash / kShards % kSets];
  Entry* entry = &set[0];
  for (Entry& other : set) {
    if (other.source == hash) {
      entry = &other;
      break;
    }
    if (other.full_at_ns < entry->full_at_ns) entry = &other;
  }
  int64_t now_ns = now_us * 1'000;
  int64_t full_at_ns = entry->source == hash ? entry->full_at_ns : 0;
  auto next_ns = rate_.take(full_at_ns, now_ns);
  *entry = {hash, next_ns ? *next_ns : std::min(full_at_ns, rate_.empty(now_ns))};
  return next_ns ? 0 : rate_.wait_ns(entry->full_at_ns, now_ns);
}

const char* to_string(Dropped reason) {
  switch (reason) {
    case Dropped::denied:
      return "denied";
    case Dropped::over_rate:
      return "over the rate limit";
    case Dropped::bad_header:
      return "without a good PROXY header";
    case Dropped::no_server:
      return "no server for them";
    case Dropped::no_socket:
      return "out of descriptors or ports";
    case Dropped::newcomers:
      return "too many new clients at once";
    case Dropped::not_sent:
      return "not taken by the kernel";
    case Dropped::unreachable:
      return "in flight to an unreachable server";
    case Dropped::draining:
      return "draining";
  }
  return "?";
}

void DatagramLimits::set(const std::optional<Rate>& all, const std::optional<Rate>& per_source) {
  all_.rate.set(all);
  sources_.set(per_source);
}

bool DatagramLimits::take(uint64_t source, int64_t now_us) {
  if (sources_.is_set() && !sources_.take(source, now_us)) return false;
  return !all_.rate.is_set() || all_.take(now_us);
}

}  // namespace lb
