// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "net/tls_hmac.h"
#include "pool/pool.h"

namespace lb {

// The cookies by which a pool's clients come back to the server that they had. One says which
// server that is and when it was written, signed by 128 bits of HMAC-SHA-256. The server stands
// there as a keyed hash of its address: it tells nobody what is behind the balancer, and balancers
// that share the keys understand it alike. Immutable; any thread.
class StickyCookies {
 public:
  // `keys`, at least one: the first signs, all of them are good for reading.
  StickyCookies(const PoolConfig& pool, const std::vector<Member>& members,
                const std::vector<std::string>& keys);

  // Of a server that the pool no longer has.
  static constexpr uint32_t kGone = UINT32_MAX;
  struct Content {
    uint32_t server = kGone;  // Server::number()
    bool is_old = false;      // still good, but to be written anew in order to stay so
  };

  // Nothing where the value was not made by us for this pool, or not used for its time.
  std::optional<Content> read(std::string_view value, int64_t now_ms) const;
  // The Set-Cookie field by which the client comes back to this server; empty where it is not one
  // of the pool's.
  std::string write(uint32_t server, int64_t now_ms, bool is_secure) const;

  // Whether one that is made of these would be the same.
  bool is_of(const PoolConfig& pool, const std::vector<Member>& members,
             const std::vector<std::string>& keys) const;

 private:
  using Id = std::string;
  struct Key {
    Hmac signer;                                   // of this pool's cookies alone
    std::vector<std::pair<Id, uint32_t>> servers;  // sorted
  };

  const std::string pool_;
  const std::string name_;
  const int64_t ttl_ms_;
  const std::vector<std::string> secrets_;
  std::vector<uint32_t> members_;
  std::vector<Key> keys_;
};

}  // namespace lb
