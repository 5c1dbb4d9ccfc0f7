// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "common/huge_pages.h"
#include "common/siphash.h"
#include "l7/jwt_verifier.h"
#include "pool/sticky_table.h"

namespace lb {

// A token that was found valid, by which digest it is known, and where its user was last.
struct KnownToken : VerifiedToken {
  Digest128 digest;
  StickyHint place;
};

// The tokens that were found valid, by their verifier's digest, until they expire: a client that
// comes again costs no check of a signature. One for the process, bounded; of those that are in
// each other's way the one goes that was not used for longest, to a minute. Only valid tokens are
// kept, so that nobody fills it with rubbish. Any thread; a short lock, held for memory work alone.
//
// Of one token among a million no cache of the CPU has anything, and to wait for memory that is
// known only by other memory takes some hundredths of a request each time. So all that is known of
// a token lies in one slot, at a place that follows from its digest: seek() can be called as soon
// as the token is seen, check() when something else was done meanwhile.
class JwtMemory {
 public:
  // In all: 256 MiB, and claims that do not fit apart from them. Of a million tokens a dozen drive
  // out another.
  static constexpr size_t kMostSlots = 1 << 21;

  explicit JwtMemory(size_t most_slots = kMostSlots);
  ~JwtMemory();
  JwtMemory(const JwtMemory&) = delete;
  JwtMemory& operator=(const JwtMemory&) = delete;

  // A token of which it is not known yet whether it is valid. Both outlive it.
  struct Sought {
    const JwtVerifier& verifier;
    std::string_view text;
    Digest128 digest;  // none if it is too long to be valid
  };
  // Begins to fetch what is remembered of a token.
  Sought seek(const JwtVerifier& verifier, std::string_view token) const;
  // The token if it is valid by its verifier now.
  std::optional<KnownToken> check(const Sought& token, int64_t now_s);
  // Where its user is, for whoever checks it next.
  void note_place(const Digest128& digest, const StickyHint& place);

  size_t size() const;

 private:
  static constexpr size_t kCacheLine = 64;
  struct alignas(2 * kCacheLine) Slot {
    KnownToken token;     // with valid_until_s 0 where there is none any more
    uint32_t used_s = 0;  // 0: free, and never was in use, so that a search ends here
  };
  static_assert(sizeof(Slot) == 2 * kCacheLine);
  // Many small ones, so that nobody waits for long when one grows.
  struct Table {
    // Of slots: a power of two. Written under the lock; prefetch() reads it without.
    std::atomic<size_t> count{0};
    size_t size = 0;  // of slots with a token
  };
  struct alignas(kCacheLine) Lock {
    std::mutex mutex;
  };
  static constexpr size_t kLocks = 64;
  static constexpr size_t kFirstSlots = 8;  // of a table

  size_t table_of(const Digest128& digest) const { return digest.high & (tables_.size() - 1); }
  std::mutex& lock_of(size_t table) const { return locks_[table % kLocks].mutex; }
  // The first slots of all tables stand together, then the ones that were added when they grew to
  // twice as many, and so on: what is in use is one piece of memory.
  Slot* slot(size_t table, size_t number) const {
    const size_t added = std::bit_floor(number);
    return slots_ + (number < kFirstSlots ? table * kFirstSlots + number
                                          : (tables_.size() + table) * added + number - added);
  }
  void prefetch(const Digest128& digest) const;
  Slot* find(size_t table, const Digest128& digest) const;
  void put(size_t table, Slot added, int64_t now_s);
  void grow(size_t table, int64_t now_s);

  std::vector<Table> tables_;  // a power of two
  const size_t most_slots_;    // of one; a power of two
  const HugePages memory_;
  Slot* const slots_;  // null where there is no memory: then none is remembered
  mutable std::array<Lock, kLocks> locks_;
};

}  // namespace lb
