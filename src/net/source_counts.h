// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "common/lru_map.h"

namespace lb {

// How many connections each source has open, exact across workers. Memory grows with the sources
// that have any: nobody's count is given up for another's. Any thread; a short lock per shard.
class SourceCounts {
 public:
  SourceCounts();

  // Counts one more of this source if it has fewer than `most`. `source` is a hash of the source:
  // pool/source_key.h.
  bool take(uint64_t source, uint32_t most);
  void give_back(uint64_t source);
  uint32_t count(uint64_t source);

 private:
  static constexpr size_t kShards = 64;

  struct Above {
    size_t operator()(uint64_t mixed) const { return mixed / kShards; }
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    LruMap<uint64_t, uint32_t, Above> counts{UINT32_MAX};  // none is 0
  };

  uint64_t mixed(uint64_t source) const;
  Shard& shard(uint64_t mixed) { return shards_[mixed % kShards]; }

  const uint64_t seed_;  // so that nobody can choose sources that share a bucket
  std::array<Shard, kShards> shards_;
};

}  // namespace lb
