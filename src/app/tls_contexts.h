// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "config/config.h"
#include "net/event_loop.h"
#include "net/tls_context.h"
#include "net/tls_server_context.h"
#include "net/tls_ticket_keys.h"

namespace lb {

// The TLS contexts of all listeners and pools and of the admin address, and the keys of session
// tickets, which outlive them. A context is made anew only when its settings or the bytes of its
// files have changed, so that sessions and their tickets go on over a reload. Control thread.
class TlsContexts {
 public:
  // Half of what a session may live, so that with three keys every ticket can be opened all along.
  static constexpr std::chrono::hours kRotation{12};

  explicit TlsContexts(EventLoop& loop);

  template <typename Settings, typename Context>
  struct Made {
    Settings settings;
    std::string fingerprint;  // of its files
    std::string ticket_keys;  // the file they are from
    std::shared_ptr<const Context> context;
  };
  // By the name of the listener or pool.
  struct Set {
    std::map<std::string, Made<TlsServerSettings, TlsServerContext>> listeners;
    std::map<std::string, Made<TlsServerSettings, TlsServerContext>> admin;  // by "", if there is
    std::map<std::string, Made<TlsClientSettings, TlsClientContext>> pools;
    std::map<std::string, Made<TlsClientSettings, TlsClientContext>> stores;  // of pools
    // By their file, "" the process's own. What was read takes effect when the set is adopted.
    struct Keys {
      std::shared_ptr<TicketKeys> shared;
      std::vector<TicketKeys::Key> read;
    };
    std::map<std::string, Keys> keys;
  };

  // What `config` needs, with whatever fits of what there is. Nothing changes yet.
  Result<Set> build(const Config& config) const;
  void adopt(Set set);

  // Null where it speaks no TLS.
  std::shared_ptr<const TlsServerContext> of_listener(const std::string& name) const;
  std::shared_ptr<const TlsServerContext> of_admin() const;
  std::map<std::string, std::shared_ptr<const TlsClientContext>> of_pools() const;
  // Of a pool's sticky.store.
  std::shared_ptr<const TlsClientContext> of_store(const std::string& pool) const;

 private:
  Result<Set::Keys> keys_of(const std::string& file) const;
  void rotate();

  Set current_;
  Timer rotation_;
};

}  // namespace lb
