// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "net/resolver.h"

namespace lb {

// Which addresses a host name stands for, by its answers so far. A new address joins at once; one
// that is missing from two answers in a row leaves. An error or an empty answer changes nothing,
// and an answer of which one family failed lets nobody leave. No I/O; one thread.
class NameMembers {
 public:
  static constexpr std::chrono::milliseconds kMinWait{1'000};
  static constexpr std::chrono::seconds kMaxWait{300};
  // The longest wait after an error or an empty answer, which tell no TTL: the wait doubles from
  // kMinWait up to this.
  static constexpr std::chrono::milliseconds kMaxRetryWait{16'000};

  // Takes the next answer. True when addresses() changed.
  bool take(const Result<ResolvedHost>& answer);

  // Sorted, port 0; empty until the first answer that has some.
  const std::vector<Address>& addresses() const { return addresses_; }
  // How long after this answer the name is to be asked for again.
  std::chrono::milliseconds next_wait() const { return next_wait_; }

 private:
  std::vector<Address> addresses_;
  std::vector<Address> missing_;  // those that the last answer lacked, sorted
  std::chrono::milliseconds next_wait_{0};
  std::chrono::milliseconds retry_wait_{kMinWait};
};

}  // namespace lb
