// SPDX-License-Identifier: MIT
// The section pools.NAME.sticky.
#include <algorithm>

#include "common/log.h"
#include "config/file_text.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostEntries = 100'000'000;
constexpr size_t kMaxSecrets = 65'536;
constexpr size_t kMostSecrets = 100;
constexpr size_t kAdvisedSecret = 16;
constexpr const char* kCookie = "lb_server";
constexpr std::string_view kForHttp = "for pools of http listeners only";

Scalar<StickyBy> sticky_by(bool is_http) {
  if (!is_http) {
    return one_of<StickyBy>({{"source_ip", StickyBy::source_ip}},
                            {{"jwt", kForHttp}, {"cookie", kForHttp}, {"header", kForHttp}});
  }
  return one_of<StickyBy>({{"jwt", StickyBy::jwt},
                           {"cookie", StickyBy::cookie},
                           {"header", StickyBy::header},
                           {"source_ip", StickyBy::source_ip}});
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

// One key a line.
void read_secrets(const Value& value, const Draft& draft, std::vector<std::string>& secrets) {
  auto written = value.as(file_path());
  if (!written) return;
  std::string file = (draft.directory / *written).native();
  auto bytes = read_file(file, kMaxSecrets);
  if (!bytes) {
    return value.error(fmt::format("cannot read {}: {}", file, bytes.error().message));
  }
  if (bytes->size() > kMaxSecrets) return value.error(file + " is larger than 64 KiB");
  size_t shortest = SIZE_MAX;
  for (std::string_view rest = *bytes; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    shortest = std::min(shortest, line.size());
    secrets.emplace_back(line);
  }
  if (secrets.empty()) return value.error(file + " holds no key");
  if (secrets.size() > kMostSecrets) {
    return value.error(fmt::format("{} holds more than {} keys", file, kMostSecrets));
  }
  if (shortest < kAdvisedSecret) {
    value.warn(
        fmt::format("{} holds a key of {} bytes, which can be guessed from any cookie: use "
                    "at least {}",
                    file, shortest, kAdvisedSecret));
  }
}

void read_cookie(Section& section, const Draft& draft, StickyConfig& sticky) {
  if (sticky.by != StickyBy::cookie) {
    return section.does_not_apply({"name", "secret_file", "learn"}, "for by: cookie only");
  }
  if (auto learn = section.find("learn")) {
    sticky.learns = true;
    if (auto name = learn->as(cookie_name())) sticky.cookie = *name;
    return section.does_not_apply({"name", "secret_file"},
                                  "for cookies that lb gives, not for those that it learns");
  }
  sticky.cookie = kCookie;
  section.read("name", sticky.cookie, cookie_name());
  if (auto file = section.find("secret_file")) read_secrets(*file, draft, sticky.secrets);
  section.does_not_apply({"max_entries", "store"},
                         "for what lb remembers; clients keep these cookies themselves");
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
  read_cookie(section, draft, sticky);
  section.read("ttl", sticky.ttl, duration(milliseconds(1'000), kLongest));
  if (!sticky.gives_cookies()) {
    section.read("max_entries", sticky.max_entries, whole_number(1, kMostEntries));
    if (auto store = section.find("store")) read_sticky_store(*store, here, draft, sticky.store);
  }
  section.read("fallback", sticky.fallback,
               one_of<StickyFallback>(
                   {{"rebalance", StickyFallback::rebalance}, {"reject", StickyFallback::reject}}));
  pool.sticky = sticky;
}

}  // namespace lb::config
