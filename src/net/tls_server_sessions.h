// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

struct ssl_session_st;
struct ssl_st;

namespace lb {

// A TLS session as a server gave it to us; freed with its last owner.
using TlsServerSession = std::shared_ptr<ssl_session_st>;

// The last TLS session that each server gave to one of our connections, for the next connection to
// take up: no certificate to verify, no signature. Shared by all workers. OpenSSL changes sessions
// while they are in use, so those kept here never are: connections get copies. Any thread; a short
// lock, once or twice a connection.
class TlsServerSessions {
 public:
  static constexpr size_t kMost = 4096;  // servers; beyond that an old one makes room

  // Offers a copy of the session of `key` in the handshake that is about to begin.
  void offer(const std::string& key, ssl_st* ssl) const;
  // Keeps a copy. The connection goes on with the session itself.
  void keep(const std::string& key, ssl_session_st* session);
  // A handshake failed, perhaps because of the session that it offered.
  void forget(const std::string& key);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, TlsServerSession> sessions_;
};

}  // namespace lb
