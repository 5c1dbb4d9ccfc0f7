// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "common/rate.h"
#include "net/session_ages.h"

namespace lb {

// A token bucket as one instant: when it will be full again (the generic cell rate algorithm). One
// more token moves it by the time that a token takes to grow. The rate may change while it is used.
// Any thread, lock-free.
class TokenRate {
 public:
  // Absent: no limit. Control thread.
  void set(const std::optional<Rate>& rate);
  bool is_set() const { return token_ns_.load(std::memory_order_relaxed) > 0; }

  // The instant after one token was taken, or nothing where none is left. Nanoseconds.
  std::optional<int64_t> take(int64_t full_at_ns, int64_t now_ns) const;
  // Where none is left: how long until one has grown.
  int64_t wait_ns(int64_t full_at_ns, int64_t now_ns) const;
  // The instant of an empty bucket: none lies further off, but after the rate was changed.
  int64_t empty(int64_t now_ns) const { return now_ns + burst_ns_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> token_ns_{0};
  std::atomic<int64_t> burst_ns_{0};
};

// One bucket for the whole process, exact across workers. Any thread, lock-free.
class RateLimit {
 public:
  TokenRate rate;
  bool take(int64_t now_us);

 private:
  alignas(64) std::atomic<int64_t> full_at_ns_{0};
};

// A bucket for each source, in a table of fixed size: where it is full the source that used least
// lately is forgotten, so that a flood of many sources does not wash out the heavy ones. A source
// whose bucket is full again is forgotten without any loss. A shard's part of the table is made
// when its first source comes. Any thread; a short lock per shard.
class SourceRates {
 public:
  static constexpr size_t kShards = 64;
  static constexpr size_t kSets = 128;  // per shard
  static constexpr size_t kWays = 8;    // sources that share a set

  SourceRates();

  // Control thread.
  void set(const std::optional<Rate>& rate);
  bool is_set() const { return rate_.is_set(); }

  // `source` is a hash of the source: pool/source_key.h.
  bool take(uint64_t source, int64_t now_us) { return wait_ns(source, now_us) == 0; }
  // 0: it took a token. Else how long until there is one, and it took none.
  int64_t wait_ns(uint64_t source, int64_t now_us);

 private:
  struct Entry {
    uint64_t source = 0;
    int64_t full_at_ns = 0;
  };
  using Set = std::array<Entry, kWays>;
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unique_ptr<std::array<Set, kSets>> sets;  // 16 KiB
  };

  const uint64_t seed_;  // so that nobody can choose sources that share a set
  TokenRate rate_;
  std::array<Shard, kShards> shards_;
};

// Why a datagram went no further.
enum class Dropped : uint8_t {
  denied,       // by allow and deny
  over_rate,    // limits.datagram_rate, datagram_rate_per_source
  bad_header,   // a trusted peer's without a PROXY header, or with a broken one
  no_server,    // none usable, or none with room
  no_socket,    // this machine is out of descriptors, ports or memory
  newcomers,    // more new clients at once than can be served
  not_sent,     // the kernel would not take it
  unreachable,  // what the server had not read when it was found gone
  draining,     // a new client of a listener that is on its way out
};
inline constexpr size_t kDroppedReasons = 9;

const char* to_string(Dropped reason);

// What a UDP listener's workers share: both limits on what its clients send, the count of what was
// dropped, and whose session goes first where there is no room. Outlives reloads. Any thread.
class DatagramLimits {
 public:
  explicit DatagramLimits(size_t workers) : ages(workers) {}

  SessionAges ages;
  std::array<std::atomic<uint64_t>, kDroppedReasons> dropped{};

  // Control thread.
  void set(const std::optional<Rate>& all, const std::optional<Rate>& per_source);

  bool any() const { return all_.rate.is_set() || sources_.is_set(); }
  // Whether one more datagram of this source is let through. A source's own limit comes first: what
  // it refuses does not count for all.
  bool take(uint64_t source, int64_t now_us);

 private:
  RateLimit all_;
  SourceRates sources_;
};

}  // namespace lb
