// SPDX-License-Identifier: MIT
#include "health/tls_clients.h"

#include <algorithm>

namespace lb {

Result<std::shared_ptr<const TlsClientContext>> TlsClients::get(const TlsClientSettings& settings) {
  std::erase_if(contexts_, [](const Entry& entry) { return entry.second.expired(); });
  for (const auto& [known, context] : contexts_) {
    if (known == settings) return context.lock();
  }
  auto made = TlsClientContext::make(settings);
  if (made) contexts_.emplace_back(settings, *made);
  return made;
}

}  // namespace lb
