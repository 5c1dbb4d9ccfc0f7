// SPDX-License-Identifier: MIT
#include "l7/stickiness.h"

#include <algorithm>

#include "common/clock.h"
#include "common/hash.h"
#include "l7/cookies.h"
#include "l7/http1_parser.h"
#include "pool/source_key.h"

namespace lb {

std::optional<StickyKey> sticky_key(const StickyConfig& sticky, const RequestHead& head,
                                    const Address& source) {
  switch (sticky.by) {
    case StickyBy::source_ip:
      return StickyKey{source_ip_key(source)};
    case StickyBy::header: {
      auto found = std::find_if(head.fields.begin(), head.fields.end(), [&](const Field& field) {
        return equal_nocase(field.name, sticky.header);
      });
      if (found == head.fields.end() || found->value.empty()) return {};
      return StickyKey{hash64(found->value)};
    }
    case StickyBy::cookie: {
      std::string_view session = first_cookie(head, sticky.cookie);
      if (!sticky.learns || session.empty()) return {};
      return session_key(session);
    }
    case StickyBy::jwt:
      break;  // by its token
  }
  return {};
}

StickyKey session_key(std::string_view session) {
  return {hash64(session)};
}

std::optional<StickyKey> sticky_key(const VerifiedToken& token, size_t claim, int64_t now_ms) {
  std::string_view user = token.claim(claim);
  if (user.empty()) return {};
  StickyKey key{hash64(user)};
  if (token.valid_until_s < INT64_MAX / 1'000) {
    key.valid_until_ms = now_ms + token.valid_until_s * 1'000 - coarse_unix_ms();
  }
  return key;
}

bool can_be_passed_on(std::string_view claim) {
  return !claim.starts_with(' ') && !claim.ends_with(' ') && is_field_value(claim);
}

}  // namespace lb
