// SPDX-License-Identifier: MIT
// Rates wherever they stand: 100/s, or {rate: 100/s, burst: 500}, or off.
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostBurst = 1'000'000'000;

}  // namespace

void read_rate(Section& section, std::string_view key, std::optional<Rate>& out) {
  auto value = section.find(key);
  if (!value) return;
  if (!value->is_map()) {
    if (auto read = value->as(optional_or_off(rate()))) out = *read;
    return;
  }
  Section map(*value);
  auto written = map.require("rate", "a rate is written 100/s or {rate: 100/s, burst: 500}");
  std::optional<Rate> read;
  if (written) read = written->as(rate());
  uint32_t burst = read ? read->burst : 1;
  map.read("burst", burst, whole_number(1, kMostBurst));
  if (!read) return;
  read->burst = burst;
  out = read;
}

}  // namespace lb::config
