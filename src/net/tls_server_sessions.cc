// SPDX-License-Identifier: MIT
#include "net/tls_server_sessions.h"

#include <openssl/ssl.h>

#include <utility>

namespace lb {

void TlsServerSessions::offer(const std::string& key, ssl_st* ssl) const {
  TlsServerSession kept;
  {
    std::lock_guard lock(mutex_);
    auto found = sessions_.find(key);
    if (found == sessions_.end()) return;
    kept = found->second;
  }
  TlsServerSession copy(SSL_SESSION_dup(kept.get()), SSL_SESSION_free);
  SSL_set_session(ssl, copy.get());
}

void TlsServerSessions::keep(const std::string& key, ssl_session_st* session) {
  TlsServerSession copy(SSL_SESSION_dup(session), SSL_SESSION_free);
  if (!copy) return;
  std::lock_guard lock(mutex_);
  if (sessions_.size() >= kMost && !sessions_.contains(key)) sessions_.erase(sessions_.begin());
  std::swap(sessions_[key], copy);  // the old one is freed behind the lock
}

void TlsServerSessions::forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  sessions_.erase(key);
}

}  // namespace lb
