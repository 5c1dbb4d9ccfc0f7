// SPDX-License-Identifier: MIT
#pragma once

#include "config/config.h"
#include "pool/server.h"
#include "pool/worker_context.h"

namespace lb {

// What live traffic meets at a server, for outlier_detection. Worker threads.

// A connect that failed, a reset before the server's first byte, or an answer that says as much.
// Counted; when the pool's number of them in a row is reached, the control thread is told.
void count_failure(Server& server, const PoolConfig& pool, WorkerContext& worker);

// The server did what it is there for. Costs a look where nothing had failed.
inline void count_success(Server& server) {
  if (server.failures_in_a_row.load(std::memory_order_relaxed) != 0) {
    server.failures_in_a_row.store(0, std::memory_order_relaxed);
  }
  if (server.next_trial_ms.load(std::memory_order_relaxed) != 0) {
    server.next_trial_ms.store(0, std::memory_order_relaxed);
  }
}

// How long a client's work may try a server that is not trusted before another's does.
inline constexpr int64_t kTrialMs = 1'000;

// Whether new work has to pass this server over: it was ejected a moment ago, or it is back and
// another client tries it.
inline bool awaits_trial(const Server& server, int64_t now_ms) {
  return server.next_trial_ms.load(std::memory_order_relaxed) > now_ms;
}

// Whether new work may go there. Where the server is not trusted yet the caller is the one client
// who tries it: its success makes the server one like the others, its failure ejects it again, and
// one who learns neither is followed by another kTrialMs later.
inline bool take_trial(Server& server, int64_t now_ms) {
  int64_t next_ms = server.next_trial_ms.load(std::memory_order_relaxed);
  if (next_ms == 0) return true;
  return next_ms <= now_ms && server.next_trial_ms.compare_exchange_strong(
                                  next_ms, now_ms + kTrialMs, std::memory_order_relaxed);
}

}  // namespace lb
