// SPDX-License-Identifier: MIT
// Rates wherever they stand: 100/s, or {rate: 100/s, burst: 500}, or off; and the limits of routes.
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostBurst = 1'000'000'000;
constexpr std::string_view kHeader = "header:";
constexpr std::string_view kClaim = "claim:";

using LimitKey = std::pair<RequestLimit::By, std::string>;

Scalar<LimitKey> limit_key() {
  auto parse = [](std::string_view text) -> Result<LimitKey> {
    auto named = [](RequestLimit::By by, Result<std::string> name) -> Result<LimitKey> {
      if (!name) return Unexpected{name.error()};
      return LimitKey{by, std::move(*name)};
    };
    if (text == "source") return LimitKey{RequestLimit::By::source, ""};
    if (text.starts_with(kHeader)) {
      return named(RequestLimit::By::header, header_name().parse(text.substr(kHeader.size())));
    }
    if (text.starts_with(kClaim)) {
      return named(RequestLimit::By::claim, claim_name().parse(text.substr(kClaim.size())));
    }
    return fail(not_one_of(text, {"source", "header:NAME", "claim:NAME"}));
  };
  return {"source, header:NAME or claim:NAME", parse};
}

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

void read_route_limit(const Value& value, std::optional<RequestLimit>& limit,
                      std::vector<Value>& token_uses) {
  if (value.is_off()) return;
  Section section(value);
  section.require("request_rate", "say how often, such as request_rate: 100/s");
  std::optional<Rate> rate;
  read_rate(section, "request_rate", rate);
  LimitKey key{RequestLimit::By::source, ""};
  auto written = section.find("key");
  if (written) {
    if (auto read = written->as(limit_key())) key = std::move(*read);
  }
  if (!rate) return;
  if (key.first == RequestLimit::By::claim) token_uses.push_back(*written);
  limit = RequestLimit{*rate, key.first, std::move(key.second)};
}

}  // namespace lb::config
