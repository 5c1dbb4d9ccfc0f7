// SPDX-License-Identifier: MIT
#include "l7/jwt_memory.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace lb {

namespace {

// Their slots are a huge page each when there are as many as there may be.
constexpr size_t kMostShards = 128;
constexpr size_t kLeastOfShard = 64;  // slots that it may have
constexpr size_t kFirstSlots = 8;
// A token is in one of so many slots in a row.
constexpr size_t kWindow = 32;
// How exactly it is known when a token was used last: a use need not write.
constexpr uint32_t kUsePace_s = 60;

}  // namespace

JwtMemory::JwtMemory(size_t most_slots)
    : shards_(std::bit_floor(std::clamp<size_t>(most_slots / kLeastOfShard, 1, kMostShards))),
      most_slots_(std::bit_floor(std::max(kFirstSlots, most_slots / shards_.size()))) {}

void JwtMemory::prefetch(const Digest128& digest) const {
  const Shard& its = shards_[shard_of(digest)];
  const size_t count = its.count.load(std::memory_order_acquire);
  if (count == 0) return;
  const Slot* slot = its.begin.load(std::memory_order_relaxed) + (digest.low & (count - 1));
  // Its own or, not much more rarely, the next one.
  const char* lines = reinterpret_cast<const char*>(slot);
  for (size_t line = 0; line < 4; ++line) __builtin_prefetch(lines + line * kCacheLine);
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
  Shard& its = shards_[shard_of(digest)];
  {
    std::lock_guard lock(its.mutex);
    if (Slot* known = find(its, digest)) {
      if (now_s < known->token.valid_until_s) {
        if (now - known->used_s >= kUsePace_s) known->used_s = now;
        return known->token;
      }
      known->token = {};
      --its.size;
      verifier.tally()->add(JwtRefusal::expired);
      return {};
    }
  }
  auto verified = verifier.verify(text, now_s);
  if (!verified) return {};
  std::lock_guard lock(its.mutex);
  KnownToken known{std::move(*verified), digest, {}};
  if (find(its, digest) == nullptr) put(its, {.token = known, .used_s = now}, now_s);
  return known;
}

void JwtMemory::note_place(const Digest128& digest, const StickyHint& place) {
  Shard& its = shards_[shard_of(digest)];
  std::lock_guard lock(its.mutex);
  if (Slot* known = find(its, digest)) known->token.place = place;
}

size_t JwtMemory::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    size += shard.size;
  }
  return size;
}

JwtMemory::Slot* JwtMemory::find(Shard& shard, const Digest128& digest) {
  const size_t mask = shard.slots.size() - 1;
  for (size_t step = 0; step < std::min(kWindow, shard.slots.size()); ++step) {
    Slot& it = shard.slots[(digest.low + step) & mask];
    if (it.used_s == 0) return nullptr;
    if (it.token.digest == digest) return &it;
  }
  return nullptr;
}

// Into the first slot of its window that is free, or whose token is over; where there is none the
// shard grows, or the one goes that was not used for longest.
void JwtMemory::put(Shard& shard, Slot added, int64_t now_s) {
  const size_t mask = shard.slots.size() - 1;
  Slot* oldest = nullptr;
  for (size_t step = 0; step < std::min(kWindow, shard.slots.size()); ++step) {
    Slot& it = shard.slots[(added.token.digest.low + step) & mask];
    if (it.used_s == 0 || it.token.valid_until_s <= now_s) {
      if (it.token.digest == Digest128{}) ++shard.size;
      it = std::move(added);
      return;
    }
    if (oldest == nullptr || it.used_s < oldest->used_s) oldest = &it;
  }
  if (shard.slots.size() < most_slots_) {
    grow(shard, now_s);
    return put(shard, std::move(added), now_s);
  }
  *oldest = std::move(added);
}

void JwtMemory::grow(Shard& shard, int64_t now_s) {
  HugeVector<Slot> slots(std::min(most_slots_, std::max(kFirstSlots, shard.slots.size() * 2)));
  slots.swap(shard.slots);
  shard.begin.store(shard.slots.data(), std::memory_order_relaxed);
  shard.count.store(shard.slots.size(), std::memory_order_release);
  shard.size = 0;
  for (Slot& it : slots) {
    if (now_s < it.token.valid_until_s) put(shard, std::move(it), now_s);
  }
}

}  // namespace lb
