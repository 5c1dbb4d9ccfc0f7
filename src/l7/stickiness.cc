// SPDX-License-Identifier: MIT
#include "l7/stickiness.h"

#include <algorithm>

#include "common/hash.h"
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
  }
  return {};
}

}  // namespace lb
