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
  if (server.failures_in_a_row.load(std::memory_order_relaxed) == 0) return;
  server.failures_in_a_row.store(0, std::memory_order_relaxed);
}

}  // namespace lb
