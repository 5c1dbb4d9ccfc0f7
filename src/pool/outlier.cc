// SPDX-License-Identifier: MIT
#include "pool/outlier.h"

namespace lb {

void count_failure(Server& server, const PoolConfig& pool, WorkerContext& worker) {
  server.cell(worker.index).failures.add();
  if (!pool.outlier_detection) return;
  uint32_t threshold = pool.outlier_detection->consecutive_failures;
  uint32_t failures = server.failures_in_a_row.fetch_add(1, std::memory_order_relaxed) + 1;
  // Again at every multiple: it may not have been possible to eject the server before.
  if (failures % threshold == 0) worker.control.keeps_failing(server);
}

}  // namespace lb
