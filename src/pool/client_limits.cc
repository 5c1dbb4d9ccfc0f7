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
  uint32_t most = limits.most();
  if (most == ClientLimits::kUnlimited) return place;
  place.source_ = source_ip_key(client);
  if (!limits.counts_.take(place.source_, most)) return {};
  place.limits_ = &limits;
  return place;
}

SourcePlace& SourcePlace::operator=(SourcePlace&& other) noexcept {
  std::swap(limits_, other.limits_);
  std::swap(source_, other.source_);
  return *this;
}

SourcePlace::~SourcePlace() {
  if (limits_ != nullptr) limits_->counts_.give_back(source_);
}

}  // namespace lb
