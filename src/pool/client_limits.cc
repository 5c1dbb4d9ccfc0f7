// SPDX-License-Identifier: MIT
#include "pool/client_limits.h"

#include "pool/source_key.h"

namespace lb {

void ClientLimits::set(const ClientLimitsConfig& config) {
  most_.store(config.connections_per_source.value_or(kUnlimited), std::memory_order_relaxed);
  all_.rate.set(config.rate);
  sources_.set(config.rate_per_source);
}

std::optional<CloseReason> ClientLimits::refuses(const Address& client, int64_t now_us) {
  bool by_source = most() != kUnlimited || sources_.is_set();
  uint64_t source = by_source ? source_ip_key(client) : 0;
  // Found out early, before anything is made for it; SourcePlace is what is exact.
  if (most() != kUnlimited && counts_.count(source) >= most()) return CloseReason::source_full;
  if (sources_.is_set() && !sources_.take(source, now_us)) return CloseReason::source_over_rate;
  if (all_.rate.is_set() && !all_.take(now_us)) return CloseReason::over_rate;
  return {};
}

std::optional<SourcePlace> SourcePlace::take(ClientLimits& limits, const Address& client) {
  SourcePlace place;
  place.limits_ = &limits;
  place.source_ = source_ip_key(client);
  uint32_t most = limits.most();
  if (most == ClientLimits::kUnlimited) return place;
  place.counts_ = limits.counts_.take(place.source_, most);
  if (!place.counts_) return {};
  return place;
}

SourcePlace& SourcePlace::operator=(SourcePlace&& other) noexcept {
  std::swap(limits_, other.limits_);
  std::swap(source_, other.source_);
  std::swap(counts_, other.counts_);
  return *this;
}

SourcePlace::~SourcePlace() {
  if (counts_) limits_->counts_.give_back(source_);
}

void SourcePlace::count() {
  if (limits_ == nullptr || counts_) return;
  counts_ = limits_->counts_.take(source_, ClientLimits::kUnlimited);
}

}  // namespace lb
