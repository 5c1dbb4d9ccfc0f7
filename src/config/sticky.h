// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/sticky_store.h"

namespace lb {

// What makes the work of one client stay with one server.
enum class StickyBy : uint8_t { source_ip, header, jwt, cookie };

// Where a request carries its token.
struct TokenSource {
  enum class Kind : uint8_t { authorization, cookie, header };
  Kind kind = Kind::authorization;  // as a bearer's
  std::string name = {};            // of the cookie or header

  friend bool operator==(const TokenSource&, const TokenSource&) = default;
};

// What becomes of a client whose server is gone.
enum class StickyFallback : uint8_t {
  rebalance,  // another server is its own from then on
  reject,
};

struct StickyConfig {
  StickyBy by = StickyBy::source_ip;
  std::string header = {};  // its name, in any case
  std::string jwt = {};     // the verifier
  std::string claim = "sub";
  TokenSource from = {};
  std::string cookie = {};                   // its name
  bool learns = false;                       // the cookie is the application's own
  std::vector<std::string> secrets = {};     // that sign cookies; none: one of the process
  std::chrono::milliseconds ttl{3'600'000};  // since the last use
  uint32_t max_entries = 1'000'000;          // the least recently used go
  StickyFallback fallback = StickyFallback::rebalance;
  std::optional<StickyStoreConfig> store = {};

  // Clients bring a cookie that says which server is theirs, so that no table has to.
  bool gives_cookies() const { return by == StickyBy::cookie && !learns; }

  friend bool operator==(const StickyConfig&, const StickyConfig&) = default;
};

}  // namespace lb
