// SPDX-License-Identifier: MIT
#include "l7/jwt_memory.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

namespace lb {

namespace {

constexpr size_t kMostTables = 2'048;
constexpr size_t kLeastOfTable = 64;  // slots that it may have
// A token is in one of so many slots in a row.
constexpr size_t kWindow = 32;
// How exactly it is known when a token was used last: a use need not write.
constexpr uint32_t kUsePace_s = 60;

}  // namespace

JwtMemory::JwtMemory(size_t most_slots)
    : tables_(std::bit_floor(std::clamp<size_t>(most_slots / kLeastOfTable, 1, kMostTables))),
      most_slots_(std::max(kFirstSlots, std::bit_floor(most_slots / tables_.size()))),
      memory_(tables_.size() * most_slots_ * sizeof(Slot)),
      slots_(static_cast<Slot*>(memory_.begin())) {}

JwtMemory::~JwtMemory() {
  for (size_t table = 0; table < tables_.size(); ++table) {
    const size_t count = tables_[table].count.load(std::memory_order_relaxed);
    for (size_t number = 0; number < count; ++number) std::destroy_at(slot(table, number));
  }
}

void JwtMemory::prefetch(const Digest128& digest) const {
  const size_t table = table_of(digest);
  const size_t count = tables_[table].count.load(std::memory_order_relaxed);
  if (count == 0) return;
  // The token's slot or, not much more rarely, the next one.
  for (size_t step = 0; step < 2; ++step) {
    const Slot* it = slot(table, (digest.low + step) & (count - 1));
    __builtin_prefetch(it);
    __builtin_prefetch(reinterpret_cast<const char*>(it) + kCacheLine);
  }
}

JwtMemory::Sought JwtMemory::seek(const JwtVerifier& verifier, std::string_view token) const {
  Sought sought{verifier, token, {}};
  if (token.size() > kMaxToken) return sought;
  sought.digest = verifier.digest_of(token);
  prefetch(sought.digest);
  return sought;
}

std::optional<KnownToken> JwtMemory::check(const Sought& token, int64_t now_s) {
  const auto& [verifier, text, digest] = token;
  if (text.size() > kMaxToken) {
    verifier.tally()->add(JwtRefusal::too_long);
    return {};
  }
  const auto now = static_cast<uint32_t>(std::max<int64_t>(1, now_s));
  const size_t table = table_of(digest);
  {
    std::lock_guard lock(lock_of(table));
    if (Slot* known = find(table, digest)) {
      if (now_s < known->token.valid_until_s) {
        if (now - known->used_s >= kUsePace_s) known->used_s = now;
        return known->token;
      }
      known->token = {};
      --tables_[table].size;
      verifier.tally()->add(JwtRefusal::expired);
      return {};
    }
  }
  auto verified = verifier.verify(text, now_s);
  if (!verified) return {};
  std::lock_guard lock(lock_of(table));
  KnownToken known{std::move(*verified), digest, {}};
  if (slots_ != nullptr && find(table, digest) == nullptr) {
    put(table, {.token = known, .used_s = now}, now_s);
  }
  return known;
}

void JwtMemory::note_place(const Digest128& digest, const StickyHint& place) {
  const size_t table = table_of(digest);
  std::lock_guard lock(lock_of(table));
  if (Slot* known = find(table, digest)) known->token.place = place;
}

size_t JwtMemory::size() const {
  size_t size = 0;
  for (size_t table = 0; table < tables_.size(); ++table) {
    std::lock_guard lock(lock_of(table));
    size += tables_[table].size;
  }
  return size;
}

JwtMemory::Slot* JwtMemory::find(size_t table, const Digest128& digest) const {
  const size_t count = tables_[table].count.load(std::memory_order_relaxed);
  for (size_t step = 0; step < std::min(kWindow, count); ++step) {
    Slot* it = slot(table, (digest.low + step) & (count - 1));
    if (it->used_s == 0) return nullptr;
    if (it->token.digest == digest) return it;
  }
  return nullptr;
}

// Into the first slot of its window that is free, or whose token is over; where there is none the
// table grows, or the one goes that was not used for longest.
void JwtMemory::put(size_t table, Slot added, int64_t now_s) {
  const size_t count = tables_[table].count.load(std::memory_order_relaxed);
  Slot* oldest = nullptr;
  for (size_t step = 0; step < std::min(kWindow, count); ++step) {
    Slot* it = slot(table, (added.token.digest.low + step) & (count - 1));
    if (it->used_s == 0 || it->token.valid_until_s <= now_s) {
      if (it->token.digest == Digest128{}) ++tables_[table].size;
      *it = std::move(added);
      return;
    }
    if (oldest == nullptr || it->used_s < oldest->used_s) oldest = it;
  }
  if (count < most_slots_) {
    grow(table, now_s);
    return put(table, std::move(added), now_s);
  }
  *oldest = std::move(added);
}

void JwtMemory::grow(size_t table, int64_t now_s) {
  const size_t before = tables_[table].count.load(std::memory_order_relaxed);
  const size_t count = std::max(kFirstSlots, before * 2);
  std::vector<Slot> live;
  live.reserve(before);
  for (size_t number = 0; number < before; ++number) {
    Slot* it = slot(table, number);
    if (now_s < it->token.valid_until_s) live.push_back(std::move(*it));
    *it = {};
  }
  for (size_t number = before; number < count; ++number) std::construct_at(slot(table, number));
  tables_[table].count.store(count, std::memory_order_relaxed);
  tables_[table].size = 0;
  for (Slot& it : live) put(table, std::move(it), now_s);
}

}  // namespace lb
