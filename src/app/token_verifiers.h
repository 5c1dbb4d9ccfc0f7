// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/result.h"
#include "config/config.h"
#include "l7/token_check.h"

namespace lb {

// The verifiers of the section jwt. One is made anew only when its settings, the bytes of its file
// or the claims that anybody wants of it have changed: what it found valid is then checked again.
// Control thread.
class TokenVerifiers {
 public:
  // What a verifier was made from.
  struct Made {
    JwtConfig config;
    std::string bytes;  // of its file
    std::shared_ptr<const JwtVerifier> verifier;
  };
  using Set = std::map<std::string, Made>;

  // What `config` needs, with whatever fits of what there is. A file that cannot be used is in
  // `problems`, and the keys that there were stay; an error where there were none. Nothing changes
  // yet.
  Result<Set> build(const Config& config, std::vector<std::string>& problems) const;
  void adopt(Set set);
  // Whether a set holds other verifiers than there are.
  bool differs(const Set& set) const;

  const JwtVerifiers& current() const { return current_; }

 private:
  Result<Made> make(const JwtConfig& config, std::vector<std::string> claims) const;

  Set made_;
  JwtVerifiers current_{.by_name = {}, .memory = std::make_shared<JwtMemory>()};
};

}  // namespace lb
