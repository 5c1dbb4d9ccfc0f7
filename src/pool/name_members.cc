// SPDX-License-Identifier: MIT
#include "pool/name_members.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lb {

namespace {

using Addresses = std::vector<Address>;  // sorted, each once

Addresses in_both(const Addresses& a, const Addresses& b) {
  Addresses out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Addresses in_either(const Addresses& a, const Addresses& b) {
  Addresses out;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Addresses without(const Addresses& a, const Addresses& b) {
  Addresses out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace

bool NameMembers::take(const Result<ResolvedHost>& answer) {
  if (!answer || answer->addresses.empty()) {
    next_wait_ = retry_wait_;
    retry_wait_ = std::min(retry_wait_ * 2, kMaxRetryWait);
    return false;
  }
  retry_wait_ = kMinWait;
  // The upper bound first: a TTL may be too large for milliseconds.
  auto ttl = std::min(answer->ttl, kMaxWait);
  next_wait_ = std::max<std::chrono::milliseconds>(ttl, kMinWait);

  Addresses absent = without(addresses_, answer->addresses);
  Addresses again = in_both(absent, missing_);
  // Of a partial answer nobody is known to be missing, but who is there is not missing any more.
  Addresses leaving = answer->partial ? Addresses() : again;
  missing_ = answer->partial ? again : without(absent, leaving);
  Addresses next = in_either(without(addresses_, leaving), answer->addresses);
  bool changed = next != addresses_;
  addresses_ = std::move(next);
  return changed;
}

}  // namespace lb
