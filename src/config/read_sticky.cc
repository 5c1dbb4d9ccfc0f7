// SPDX-License-Identifier: MIT
// The section pools.NAME.sticky.
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostEntries = 100'000'000;
constexpr std::string_view kForHttp = "for pools of http listeners only";

Scalar<StickyBy> sticky_by(bool is_http) {
  if (!is_http) {
    return one_of<StickyBy>({{"source_ip", StickyBy::source_ip}},
                            {{"jwt", kForHttp}, {"cookie", kForHttp}, {"header", kForHttp}});
  }
  return one_of<StickyBy>({{"header", StickyBy::header}, {"source_ip", StickyBy::source_ip}},
                          {{"jwt", kNotBuilt}, {"cookie", kNotBuilt}});
}

}  // namespace

void read_sticky(const Value& value, Protocols here, PoolConfig& pool) {
  if (value.is_off()) return;
  StickyConfig sticky;
  Section section(value);
  bool is_http = here.any_of(Protocol::http);
  if (auto by = section.require("by", "name what a client is known by, such as source_ip")) {
    if (auto what = by->as(sticky_by(is_http))) sticky.by = *what;
  }
  if (sticky.by == StickyBy::header) {
    auto header = section.require("header", "name the header, such as X-Session");
    auto name = header ? header->as(header_name()) : std::nullopt;
    if (name) sticky.header = *name;
  } else {
    section.does_not_apply({"header"}, "for by: header only");
  }
  section.read("ttl", sticky.ttl, duration(milliseconds(1'000), kLongest));
  section.read("max_entries", sticky.max_entries, whole_number(1, kMostEntries));
  section.read("fallback", sticky.fallback,
               one_of<StickyFallback>(
                   {{"rebalance", StickyFallback::rebalance}, {"reject", StickyFallback::reject}}));
  section.not_built({"jwt", "claim", "from", "name", "secret_file", "learn", "store"});
  pool.sticky = sticky;
}

}  // namespace lb::config
