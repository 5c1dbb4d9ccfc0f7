// SPDX-License-Identifier: MIT
#include "pool/worker_context.h"

#include "common/log.h"

namespace lb {

namespace {

constexpr int64_t kTlsWarningPause_ms = 10'000;

}  // namespace

void WorkerContext::note_tls_failure(const Server& server, const std::string& reason) {
  int64_t now_ms = loop.now_ms();
  if (tls_warned_ms != 0 && now_ms - tls_warned_ms < kTlsWarningPause_ms) return;
  tls_warned_ms = now_ms;
  log::warning("server {}/{}: no TLS handshake: {}", server.pool(), server.name(), reason);
}

}  // namespace lb
