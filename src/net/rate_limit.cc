// SPDX-License-Identifier: MIT
#include "net/rate_limit.h"

#include <algorithm>
#include <random>

#include "common/hash.h"

namespace lb {

namespace {

uint64_t random_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

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

SourceRates::SourceRates() : seed_(random_seed()) {}

void SourceRates::set(const std::optional<Rate>& rate) {
  if (rate && !owned_) {
    owned_ = std::make_unique<Shards>();
    shards_.store(owned_.get(), std::memory_order_release);
  }
  rate_.set(rate);
}

bool SourceRates::take(uint64_t source, int64_t now_us) {
  Shards* shards = shards_.load(std::memory_order_acquire);
  if (shards == nullptr) return true;
  uint64_t hash = mix64(source ^ seed_);
  Shard& shard = (*shards)[hash % kShards];
  Set& set = shard.sets[hash / kShards % kSets];
  std::lock_guard lock(shard.mutex);
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
  return next_ns.has_value();
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
