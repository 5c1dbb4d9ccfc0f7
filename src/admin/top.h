// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "admin/client.h"
#include "common/json.h"
#include "common/result.h"

namespace lb::admin {

// What lb top shows: figures as the API tells them, and when.
struct TopSample {
  Json metrics;  // of GET /api/metrics
  Json servers;  // of GET /api/metrics/servers
  int64_t at_ms = 0;
};

// One screen: the process, its listeners and servers, with what they did a second since `before`.
// Lines have at most `columns` characters, and there are at most `rows` of them.
std::string top_screen(const TopSample& now, const TopSample& before, size_t rows, size_t columns);

// lb top: a new screen every second until q or Ctrl-C; a single one where the output is no
// terminal, or the figures themselves.
Result<int> run_top(const AdminTarget& target, bool as_json);

}  // namespace lb::admin
