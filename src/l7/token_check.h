// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <forward_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/http_config.h"
#include "config/sticky.h"
#include "l7/http_message.h"
#include "l7/jwt_memory.h"

namespace lb {

// The verifiers of a configuration, by name, and what they found valid.
struct JwtVerifiers {
  std::map<std::string, std::shared_ptr<const JwtVerifier>> by_name;
  std::shared_ptr<JwtMemory> memory;
};

// Where a token is looked for, and by what it is checked.
struct TokenRule {
  std::shared_ptr<const JwtVerifier> verifier;  // null: nobody asks
  std::vector<TokenSource> from;                // in turn
};

// The one token of a request; nothing where there is none, or several could be meant.
std::optional<std::string_view> find_token(const RequestHead& head, const TokenSource& from);

// The tokens of one request, each checked once at most, and only when asked for. The rules that it
// is asked by outlive it. Worker thread.
class TokenCheck {
 public:
  TokenCheck(const RequestHead& head, JwtMemory* memory) : head_(head), memory_(memory) {}

  // The rule will probably be asked by soon: what is remembered of its first token begins to be
  // fetched.
  void expect(const TokenRule& rule);
  // The first valid token that the rule finds, else null. Valid as long as this is.
  const KnownToken* check(const TokenRule& rule);

 private:
  struct Checked {
    Checked(const JwtVerifier& its, const TokenSource& source) : verifier(&its), from(&source) {}

    const JwtVerifier* verifier;
    const TokenSource* from;
    std::optional<JwtMemory::Sought> sought;  // until it was checked
    std::optional<KnownToken> token;

    bool is_of(const JwtVerifier& its, const TokenSource& source) const {
      return verifier == &its && *from == source;
    }
  };

  Checked& find(const JwtVerifier& verifier, const TokenSource& from);
  const std::optional<KnownToken>& check(const JwtVerifier& verifier, const TokenSource& from);

  const RequestHead& head_;
  JwtMemory* memory_;  // null: there are no verifiers
  // Most requests have one, which takes no memory of its own. None is ever moved.
  std::optional<Checked> first_;
  std::forward_list<Checked> more_;
};

}  // namespace lb
