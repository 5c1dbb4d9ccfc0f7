// SPDX-License-Identifier: MIT
#include "app/token_verifiers.h"

#include <set>
#include <utility>

#include "config/file_text.h"

namespace lb {

namespace {

using Claims = std::map<std::string, std::set<std::string>>;

// The claims that pools and routes want to know, by verifier.
Claims wanted_claims(const Config& config) {
  Claims wanted;
  for (const auto& [name, pool] : config.pools) {
    if (pool.sticky && pool.sticky->by == StickyBy::jwt) {
      wanted[pool.sticky->jwt].insert(pool.sticky->claim);
    }
  }
  for (const auto& [name, listener] : config.listeners) {
    for (const HttpRoute& route : listener.http.routes) {
      for (const auto& [header, claim] : route.claims) wanted[route.verifier].insert(claim);
      if (route.limit && route.limit->by == RequestLimit::By::claim) {
        wanted[route.verifier].insert(route.limit->name);
      }
    }
  }
  return wanted;
}

}  // namespace

Result<TokenVerifiers::Made> TokenVerifiers::make(const JwtConfig& config,
                                                  std::vector<std::string> claims) const {
  auto bytes = config::read_file(config.file, kMaxJwtKeyFile);
  if (!bytes) return fail("cannot read " + config.file + ": " + bytes.error().message);
  auto before = made_.find(config.name);
  bool same = before != made_.end() && before->second.config == config &&
              before->second.bytes == *bytes && before->second.verifier->claims() == claims;
  if (same) return before->second;
  auto keys = JwtKeys::parse(config.kind, *bytes);
  if (!keys) return fail(config.file + " " + keys.error().message);
  if (auto misfit = keys->misfit(config.algorithms); !misfit.empty()) {
    return fail(config.file + ": " + misfit);
  }
  auto tally =
      before == made_.end() ? std::make_shared<JwtTally>() : before->second.verifier->tally();
  auto verifier = std::make_shared<const JwtVerifier>(config, std::move(*keys), std::move(claims),
                                                      std::move(tally));
  return Made{config, std::move(*bytes), std::move(verifier)};
}

Result<TokenVerifiers::Set> TokenVerifiers::build(const Config& config,
                                                  std::vector<std::string>& problems) const {
  Claims wanted = wanted_claims(config);
  Set set;
  for (const auto& [name, jwt] : config.jwt) {
    const auto& claims = wanted[name];
    auto made = make(jwt, {claims.begin(), claims.end()});
    if (made) {
      set.emplace(name, std::move(*made));
      continue;
    }
    std::string problem = "jwt." + name + ": " + made.error().message;
    auto before = made_.find(name);
    if (before == made_.end() || !(before->second.config == jwt)) return fail(std::move(problem));
    problems.push_back(std::move(problem));
    set.emplace(name, before->second);
  }
  return set;
}

void TokenVerifiers::adopt(Set set) {
  made_ = std::move(set);
  current_.by_name.clear();
  for (const auto& [name, made] : made_) current_.by_name[name] = made.verifier;
}

bool TokenVerifiers::differs(const Set& set) const {
  if (set.size() != made_.size()) return true;
  for (const auto& [name, made] : set) {
    auto before = made_.find(name);
    if (before == made_.end() || before->second.verifier != made.verifier) return true;
  }
  return false;
}

}  // namespace lb
