// SPDX-License-Identifier: MIT
#include "pool/sticky_table.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"

namespace lb {

namespace {

constexpr int64_t kTick_ms = 100;
// Small tables are one shard, whose order of use is exact. In large ones a use costs less.
constexpr uint32_t kLeastToShard = 16'384;
constexpr size_t kShards = 64;
constexpr uint32_t kTold = 0x7fff'ffff;  // what fits into Entry::told
// A hint is good for a 16th of the ttl, and while fewer were placed in its shard than a 64th of
// what it holds. Whoever is placed in a full shard drives out one entry, and at most 32 that were
// in use are passed over: half a round, so that who comes by hints is not the one to go.
constexpr uint32_t kHintsPerTtl = 16;
constexpr uint32_t kHintsPerShard = 64;

// Of all entries so many are one shard's at most, that keys which somebody chose to lie together
// drive out few others. By chance no shard has as many.
size_t most_of_shard(size_t max_entries, size_t shards) {
  return shards == 1 ? max_entries : max_entries / shards * 5 / 4;
}

size_t shards_for(uint32_t max_entries) {
  return max_entries < kLeastToShard ? 1 : kShards;
}

// What no table was known by before; never 0.
uint32_t next_number() {
  static std::atomic<uint32_t> last{0};
  uint32_t number = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return number != 0 ? number : next_number();
}

}  // namespace

class StickyTable::Locked {
 public:
  Locked(StickyTable& table, Shard& shard)
      : table_(table), shard_(shard), lock_(shard.mutex), before_(shard.entries.size()) {}
  ~Locked() {
    size_t now = shard_.entries.size();
    if (now != before_) table_.size_.fetch_add(now - before_, std::memory_order_relaxed);
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  // A new entry, in the place of the shard's oldest where the table is full. Two go where others
  // added theirs at the same moment.
  void add(uint64_t hash, const Entry& entry) {
    auto& entries = shard_.entries;
    size_t most = table_.max_entries_.load(std::memory_order_relaxed);
    for (int i = 0; i < 2 && entries.size() > 0 && size() >= most; ++i) erase_oldest();
    while (entries.is_full()) erase_oldest();
    entries.put(hash, entry);
    if (++shard_.placed < entries.size() / kHintsPerShard) return;
    shard_.placed = 0;
    for (auto& version : shard_.versions) raise(version);
  }
  void erase(uint64_t hash) {
    if (shard_.entries.erase(hash)) end_hints(hash);
  }
  // What was said of the key is no longer so.
  void end_hints(uint64_t hash) { raise(version_of(shard_, hash)); }
  void erase_oldest() { end_hints(shard_.entries.erase_oldest()); }

 private:
  // Under the lock alone.
  static void raise(std::atomic<uint32_t>& version) {
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  size_t size() const { return table_.size() + (shard_.entries.size() - before_); }

  StickyTable& table_;
  Shard& shard_;
  std::lock_guard<std::mutex> lock_;
  const size_t before_;
};

StickyTable::StickyTable(const Limits& limits)
    : began_ms_(monotonic_ms()), shards_(shards_for(limits.max_entries)) {
  set_limits(limits);
}

bool StickyTable::has_room_for(const Limits& limits) const {
  return shards_.size() == shards_for(limits.max_entries);
}

void StickyTable::set_limits(const Limits& limits) {
  ttl_.store(static_cast<uint32_t>(limits.ttl.count() / kTick_ms), std::memory_order_relaxed);
  max_entries_.store(limits.max_entries, std::memory_order_relaxed);
  size_t before = std::max<size_t>(size(), limits.max_entries);
  for (Shard& shard : shards_) {
    Locked lock(*this, shard);
    size_t share = shard.entries.size() * limits.max_entries / before;
    size_t most = most_of_shard(limits.max_entries, shards_.size());
    while (shard.entries.size() > std::min(share, most)) lock.erase_oldest();
    shard.entries.set_capacity(most);
  }
  number_.store(next_number(), std::memory_order_relaxed);
}

void StickyTable::take_over(const StickyTable& before, int64_t now_ms) {
  auto entries = before.list(SIZE_MAX, now_ms);
  entries.resize(std::min<size_t>(entries.size(), max_entries_.load(std::memory_order_relaxed)));
  // The latest last, as they were used.
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    Locked lock(*this, shard(entry->hash));
    lock.add(entry->hash, {.server = entry->server,
                           .used = tick(entry->used_ms),
                           .until = tick(entry->until_ms),
                           .is_unshared_move = entry->is_unshared_move});
  }
}

uint32_t StickyTable::tick(int64_t at_ms) const {
  if (at_ms == INT64_MAX) return UINT32_MAX;
  return static_cast<uint32_t>(
      std::clamp<int64_t>((at_ms - began_ms_) / kTick_ms, 0, UINT32_MAX - 1));
}

int64_t StickyTable::time_of(uint32_t tick) const {
  return tick == UINT32_MAX ? INT64_MAX : began_ms_ + tick * kTick_ms;
}

bool StickyTable::is_over(const Entry& entry, uint32_t now) const {
  return now >= entry.until ||
         now - std::min(now, entry.used) >= ttl_.load(std::memory_order_relaxed);
}

StickyTable::Entry* StickyTable::touch(Shard& shard, uint64_t hash) {
  return shards_.size() == 1 ? shard.entries.use(hash) : shard.entries.touch(hash);
}

StickyTable::Entry* StickyTable::use(Shard& shard, const StickyKey& key, uint32_t now) {
  Entry* entry = touch(shard, key.hash);
  if (entry == nullptr || is_over(*entry, now)) return nullptr;
  entry->used = std::max(entry->used, now);
  entry->until = std::max(entry->until, tick(key.valid_until_ms));
  return entry;
}

std::optional<uint32_t> StickyTable::find(const StickyKey& key, int64_t now_ms) {
  if (is_good(key.hint, key.hash, now_ms)) return key.hint.server;
  Shard& its = shard(key.hash);
  Locked lock(*this, its);
  if (Entry* entry = use(its, key, tick(now_ms))) return entry->server;
  lock.erase(key.hash);
  return {};
}

bool StickyTable::is_good(const StickyHint& hint, uint64_t hash, int64_t now_ms) const {
  return hint.table == number_.load(std::memory_order_relaxed) && tick(now_ms) < hint.until &&
         hint.version == version(hash);
}

StickyHint StickyTable::hint(const StickyKey& key, int64_t now_ms) {
  if (is_good(key.hint, key.hash, now_ms)) return key.hint;
  uint32_t now = tick(now_ms);
  Shard& its = shard(key.hash);
  Locked lock(*this, its);
  Entry* entry = use(its, key, now);
  uint32_t lasts = ttl_.load(std::memory_order_relaxed) / kHintsPerTtl;
  if (entry == nullptr || lasts == 0) return {};
  entry->used = now + lasts;
  return {.table = number_.load(std::memory_order_relaxed),
          .version = version(key.hash),
          .server = entry->server,
          .until = std::min(now + lasts, entry->until)};
}

StickyTable::Change StickyTable::put(const StickyKey& key, uint32_t server, int64_t now_ms) {
  uint32_t now = tick(now_ms);
  uint32_t until = tick(key.valid_until_ms);
  Shard& its = shard(key.hash);
  Locked lock(*this, its);
  if (Entry* known = touch(its, key.hash)) {
    if (is_over(*known, now)) {
      lock.end_hints(key.hash);
      *known = {.server = server, .used = now, .until = until, .told = now & kTold};
      return Change::placed;
    }
    known->used = std::max(known->used, now);
    known->until = std::max(known->until, until);
    if (known->server == server) return Change::none;
    known->server = server;
    known->told = now & kTold;
    known->is_unshared_move = 1;
    lock.end_hints(key.hash);
    return Change::moved;
  }
  // A few that nobody will ask for again make room, so that a table does not stay as large as it
  // once was.
  its.entries.erase_oldest(2, [&](uint64_t, const Entry& oldest) { return is_over(oldest, now); });
  lock.add(key.hash, {.server = server, .used = now, .until = until, .told = now & kTold});
  return Change::placed;
}

bool StickyTable::take_due(uint64_t hash, int64_t now_ms) {
  uint32_t now = tick(now_ms);
  uint32_t pace = std::max(1U, ttl_.load(std::memory_order_relaxed) / 4);
  Shard& its = shard(hash);
  std::lock_guard lock(its.mutex);
  Entry* known = its.entries.find(hash);
  if (known == nullptr || now - std::min<uint32_t>(now, known->told) < pace) return false;
  known->told = now & kTold;
  return true;
}

void StickyTable::adopt(const StickyKey& key, uint32_t server, int64_t now_ms) {
  uint32_t now = tick(now_ms);
  Entry entry{
      .server = server, .used = now, .until = tick(key.valid_until_ms), .told = now & kTold};
  Shard& its = shard(key.hash);
  Locked lock(*this, its);
  Entry* known = its.entries.find(key.hash);
  if (known == nullptr) return lock.add(key.hash, entry);
  if (!is_over(*known, now)) {
    entry.used = known->used;
    entry.until = std::max(known->until, entry.until);
  }
  if (known->server != server) lock.end_hints(key.hash);
  *known = entry;
}

void StickyTable::replace(uint64_t hash, uint32_t server) {
  Shard& its = shard(hash);
  Locked lock(*this, its);
  Entry* known = its.entries.find(hash);
  if (known == nullptr) return;
  known->server = server;
  lock.end_hints(hash);
  known->is_unshared_move = 0;
}

void StickyTable::move_is_shared(uint64_t hash, uint32_t server) {
  Shard& its = shard(hash);
  std::lock_guard lock(its.mutex);
  Entry* known = its.entries.find(hash);
  if (known != nullptr && known->server == server) known->is_unshared_move = 0;
}

void StickyTable::erase(uint64_t hash) {
  Shard& its = shard(hash);
  Locked lock(*this, its);
  lock.erase(hash);
}

void StickyTable::forget(uint32_t server) {
  for (Shard& shard : shards_) {
    Locked lock(*this, shard);
    shard.entries.erase_if([=](uint64_t, const Entry& entry) { return entry.server == server; });
  }
  number_.store(next_number(), std::memory_order_relaxed);
}

StickyTable::View StickyTable::view_of(uint64_t hash, const Entry& entry, uint32_t now) const {
  int64_t ttl_ms = ttl_.load(std::memory_order_relaxed) * kTick_ms;
  int64_t until_ms = time_of(entry.until);
  return {.hash = hash,
          .server = entry.server,
          .used_ms = time_of(std::min(entry.used, now)),
          .until_ms = until_ms,
          .ends_ms = std::min(time_of(entry.used) + ttl_ms, until_ms),
          .is_unshared_move = entry.is_unshared_move != 0};
}

std::vector<StickyTable::View> StickyTable::list(size_t at_most, int64_t now_ms) const {
  std::vector<View> views;
  uint32_t now = tick(now_ms);
  for (const Shard& shard : shards_) {
    size_t left = at_most;
    std::lock_guard lock(shard.mutex);
    shard.entries.for_each([&](uint64_t hash, const Entry& entry) {
      if (left-- == 0) return false;
      if (!is_over(entry, now)) views.push_back(view_of(hash, entry, now));
      return true;
    });
  }
  std::sort(views.begin(), views.end(),
            [](const View& a, const View& b) { return a.used_ms > b.used_ms; });
  if (views.size() > at_most) views.resize(at_most);
  return views;
}

std::vector<StickyTable::View> StickyTable::list_shard(size_t index, int64_t now_ms) const {
  std::vector<View> views;
  uint32_t now = tick(now_ms);
  const Shard& shard = shards_[index];
  std::lock_guard lock(shard.mutex);
  shard.entries.for_each([&](uint64_t hash, const Entry& entry) {
    if (!is_over(entry, now)) views.push_back(view_of(hash, entry, now));
    return true;
  });
  return views;
}

}  // namespace lb
