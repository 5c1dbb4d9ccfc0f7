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
  return one_of<StickyBy>(
      {{"jwt", StickyBy::jwt}, {"header", StickyBy::header}, {"source_ip", StickyBy::source_ip}},
      {{"cookie", kNotBuilt}});
}

void read_header(Section& section, StickyConfig& sticky) {
  if (sticky.by != StickyBy::header) {
    return section.does_not_apply({"header"}, "for by: header only");
  }
  auto header = section.require("header", "name the header, such as X-Session");
  auto name = header ? header->as(header_name()) : std::nullopt;
  if (name) sticky.header = *name;
}

void read_token(Section& section, const Draft& draft, StickyConfig& sticky) {
  if (sticky.by != StickyBy::jwt) {
    return section.does_not_apply({"jwt", "claim", "from"}, "for by: jwt only");
  }
  auto verifier = section.require("jwt", "name the verifier");
  auto name = verifier ? read_verifier(*verifier, draft) : std::nullopt;
  if (name) sticky.jwt = *name;
  section.read("claim", sticky.claim, claim_name());
  section.read("from", sticky.from, token_source());
}

}  // namespace

void read_sticky(const Value& value, Protocols here, const Draft& draft, PoolConfig& pool) {
  if (value.is_off()) return;
  StickyConfig sticky;
  Section section(value);
  bool is_http = here.any_of(Protocol::http);
  if (auto by = section.require("by", "name what a client is known by, such as source_ip")) {
    if (auto what = by->as(sticky_by(is_http))) sticky.by = *what;
  }
  read_header(section, sticky);
  read_token(section, draft, sticky);
  section.read("ttl", sticky.ttl, duration(milliseconds(1'000), kLongest));
  section.read("max_entries", sticky.max_entries, whole_number(1, kMostEntries));
  section.read("fallback", sticky.fallback,
               one_of<StickyFallback>(
                   {{"rebalance", StickyFallback::rebalance}, {"reject", StickyFallback::reject}}));
  section.not_built({"name", "secret_file", "learn", "store"});
  pool.sticky = sticky;
}

}  // namespace lb::config
