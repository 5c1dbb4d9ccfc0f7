// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "common/result.h"
#include "net/tls_context.h"

namespace lb {

// TLS for probes: one context for all checks with the same settings, since each holds the
// authorities of the system. Control thread.
class TlsClients {
 public:
  // Blocking where the context is not there yet.
  Result<std::shared_ptr<const TlsClientContext>> get(const TlsClientSettings& settings);

 private:
  using Entry = std::pair<TlsClientSettings, std::weak_ptr<const TlsClientContext>>;
  std::vector<Entry> contexts_;
};

}  // namespace lb
