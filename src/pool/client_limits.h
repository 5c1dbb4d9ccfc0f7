// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/address.h"
#include "config/config.h"
#include "net/rate_limit.h"
#include "net/source_counts.h"
#include "pool/close_reason.h"

namespace lb {

// What a tcp or http listener's workers share to hold back clients that connect too often or too
// much: limits on connections of each source, and on how fast they come, from each source and from
// all. Exact for the process; outlives reloads. Any thread.
class ClientLimits {
 public:
  // Control thread.
  void set(const ClientLimitsConfig& config);

  // Why this client's new connection is refused, if it is; else it counts for the rates. A source's
  // own limits come first: what they refuse does not count for all.
  std::optional<CloseReason> refuses(const Address& client, int64_t now_us);

 private:
  friend class SourcePlace;

  uint32_t most() const { return most_.load(std::memory_order_relaxed); }

  static constexpr uint32_t kUnlimited = UINT32_MAX;

  std::atomic<uint32_t> most_{kUnlimited};  // connections per source
  SourceCounts counts_;
  RateLimit all_;
  SourceRates sources_;
};

// A connection's source, for which it counts until this is gone: at the session's end, since the
// limits may go with the last frontend. While there is no limit it does not count. One thread.
class SourcePlace {
 public:
  // Nothing where its source has as many as it may already. `limits` outlives it.
  static std::optional<SourcePlace> take(ClientLimits& limits, const Address& client);

  SourcePlace() = default;
  SourcePlace(SourcePlace&& other) noexcept
      : limits_(std::exchange(other.limits_, nullptr)),
        source_(other.source_),
        counts_(std::exchange(other.counts_, false)) {}
  SourcePlace& operator=(SourcePlace&& other) noexcept;
  ~SourcePlace();

  // From now on it counts, even where its source has more than it may.
  void count();

 private:
  ClientLimits* limits_ = nullptr;  // null: the source is not known yet
  uint64_t source_ = 0;
  bool counts_ = false;
};

}  // namespace lb
