// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "common/lru_map.h"

namespace lb {

// Where a key had its server when a StickyTable was asked, for whoever brings the key again: good
// for a while, as long as nothing is changed about the key.
struct StickyHint {
  uint32_t table = 0;  // 0: none
  uint32_t version = 0;
  uint32_t server = 0;  // Server::number()
  uint32_t until = 0;   // in ticks of the table
  friend bool operator==(const StickyHint&, const StickyHint&) = default;
};

// What a client is known by in a pool: a hash of the value, the same on every machine, so that
// balancers without shared state place it alike.
struct StickyKey {
  uint64_t hash = 0;
  // When what it rests on ends, such as a token (monotonic); INT64_MAX: never.
  int64_t valid_until_ms = INT64_MAX;
  // What the client itself brings stands in no table: Server::number().
  std::optional<uint32_t> server = {};
  StickyHint hint = {};
};

// Who sticks to which server of one pool: one table for all workers, kept over reloads. At most
// `max_entries`, the least recently used go (of a large table one that was not used for long); an
// entry ends `ttl` after its last use, or when what it rests on is no longer valid. Any thread;
// a look-up takes one short lock of its shard, held for memory work alone. About 50 bytes an entry.
class StickyTable {
 public:
  struct Limits {
    uint32_t max_entries = 1'000'000;
    std::chrono::milliseconds ttl{3'600'000};
  };

  explicit StickyTable(const Limits& limits);
  StickyTable(const StickyTable&) = delete;
  StickyTable& operator=(const StickyTable&) = delete;

  // Whether set_limits() will do; else another table takes over the entries of this one.
  bool has_room_for(const Limits& limits) const;
  // Entries that are too many now go at once.
  void set_limits(const Limits& limits);
  void take_over(const StickyTable& before, int64_t now_ms);

  // The number (Server::number()) of the key's server. That is a use of the entry; a later
  // `valid_until_ms` prolongs it. With a good hint the entry is not looked at: a hint ends long
  // before its entry does, be it by age or because others need its place.
  std::optional<uint32_t> find(const StickyKey& key, int64_t now_ms);
  bool is_good(const StickyHint& hint, uint64_t hash, int64_t now_ms) const;
  // The key's own hint while it is good, else another if the key has a server.
  StickyHint hint(const StickyKey& key, int64_t now_ms);
  enum class Change : uint8_t {
    none,
    placed,
    moved,  // from another server, which others may still think it has
  };
  // The key's server from now on.
  Change put(const StickyKey& key, uint32_t server, int64_t now_ms);
  void erase(uint64_t hash);

  // For the store that is shared with other balancers.

  // Whether the store is to be told that the key is in use, which is so every quarter of the ttl;
  // it counts as told then.
  bool take_due(uint64_t hash, int64_t now_ms);
  // What the store says of a key; 0: a server that this balancer does not have.
  void adopt(const StickyKey& key, uint32_t server, int64_t now_ms);
  // Another balancer has moved the key, if it is known here.
  void replace(uint64_t hash, uint32_t server);
  // The store knows of the key's latest move, which was to this server.
  void move_is_shared(uint64_t hash, uint32_t server);
  // Drops the entries of a server that is gone for good.
  void forget(uint32_t server);

  size_t size() const { return size_.load(std::memory_order_relaxed); }

  struct View {
    uint64_t hash;
    uint32_t server;
    int64_t used_ms;   // monotonic; by hints: a 16th of the ttl ago at most
    int64_t until_ms;  // of what it rests on; INT64_MAX: for ever
    int64_t ends_ms;   // unless it is used
    bool is_unshared_move = false;
  };
  // At most so many live entries, the latest first.
  std::vector<View> list(size_t at_most, int64_t now_ms) const;
  // All of them, piece by piece.
  size_t shards() const { return shards_.size(); }
  std::vector<View> list_shard(size_t index, int64_t now_ms) const;

 private:
  // Times are tenths of seconds since the table was made, in 32 bits.
  struct Entry {
    uint32_t server = 0;
    uint32_t used = 0;            // in advance where a hint was given
    uint32_t until = UINT32_MAX;  // of what it rests on
    uint32_t told : 31 = 0;       // to the store, or by it, at this time
    uint32_t is_unshared_move : 1 = 0;
  };
  struct HashOfKey {
    size_t operator()(uint64_t hash) const { return static_cast<size_t>(hash); }
  };
  static constexpr size_t kVersions = 64;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    LruMap<uint64_t, Entry, HashOfKey> entries{SIZE_MAX};
    // Each is some keys': another one when an entry of theirs goes or has another server, and now
    // and then, so that entries whose keys come by hints are looked at before they are the oldest.
    alignas(64) std::array<std::atomic<uint32_t>, kVersions> versions{};
    uint32_t placed = 0;  // since all were changed
  };
  // A shard whose entries may come and go: counts them in size_.
  class Locked;

  // The entry, which is now used; null where it is over.
  Entry* use(Shard& shard, const StickyKey& key, uint32_t now);
  Entry* touch(Shard& shard, uint64_t hash);
  Shard& shard(uint64_t hash) { return shards_[hash >> 58 & (shards_.size() - 1)]; }
  const Shard& shard(uint64_t hash) const { return shards_[hash >> 58 & (shards_.size() - 1)]; }
  static std::atomic<uint32_t>& version_of(Shard& shard, uint64_t hash) {
    return shard.versions[hash >> 48 & (kVersions - 1)];
  }
  // That of this key: another's is another, so that no hint is good for a key that it was not for.
  uint32_t version(uint64_t hash) const {
    return shard(hash).versions[hash >> 48 & (kVersions - 1)].load(std::memory_order_acquire) +
           static_cast<uint32_t>(hash);
  }
  uint32_t tick(int64_t at_ms) const;
  int64_t time_of(uint32_t tick) const;
  bool is_over(const Entry& entry, uint32_t now) const;
  View view_of(uint64_t hash, const Entry& entry, uint32_t now) const;

  const int64_t began_ms_;
  std::atomic<uint32_t> number_{0};  // of all tables there were; another one ends all hints
  std::atomic<uint32_t> ttl_{0};
  std::atomic<size_t> max_entries_{0};
  alignas(64) std::atomic<size_t> size_{0};
  std::vector<Shard> shards_;
};

}  // namespace lb
