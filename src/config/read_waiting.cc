// SPDX-License-Identifier: MIT
// The keys pools.NAME.queue and pools.NAME.hold.
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostWaiting = 1'000'000;
constexpr milliseconds kLongestWait{24LL * 3'600'000};

void read_queue(const Value& value, QueueConfig& queue) {
  if (value.is_off()) {
    queue.timeout = milliseconds(0);
    return;
  }
  Section section(value);
  section.read("size", queue.size, whole_number(1, kMostWaiting));
  section.read("timeout", queue.timeout, duration(milliseconds(1), kLongestWait));
}

}  // namespace

void read_waiting(Section& section, PoolConfig& pool) {
  if (auto found = section.find("queue")) read_queue(*found, pool.queue);
  section.read("hold", pool.hold, or_off(duration(milliseconds(1), kLongestWait), milliseconds(0)));
}

}  // namespace lb::config
