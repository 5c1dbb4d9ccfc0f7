// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace lb {

// The keys of session tickets: the first seals, all open. Shared by all workers, and longer-lived
// than any context, so that a ticket is good at every worker and after every reload. Any thread; a
// short lock, once a handshake.
class TicketKeys {
 public:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> hmac;
    std::array<unsigned char, 32> aes;
    bool is_short = false;  // AES-128 and half an HMAC key: the 48-byte form
  };
  static constexpr size_t kKept = 3;

  // One random key.
  TicketKeys();
  // Those of a file, at least one (parse()).
  explicit TicketKeys(std::vector<Key> keys) : keys_(std::move(keys)) {}

  // A new random key seals from now on; the oldest of more than three goes.
  void rotate();
  void replace(std::vector<Key> keys);

  Key sealing() const;
  struct Found {
    Key key;
    bool is_sealing;
  };
  std::optional<Found> find(const unsigned char* name) const;

  // Keys as HAProxy and nginx have them: lines of base64, each of 80 or 48 bytes, or the bytes
  // themselves. At most 16 of them.
  static Result<std::vector<Key>> parse(std::string_view text);

 private:
  mutable std::mutex mutex_;
  std::vector<Key> keys_;
};

}  // namespace lb
