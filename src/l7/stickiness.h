// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "common/address.h"
#include "config/config.h"
#include "l7/http_message.h"
#include "pool/sticky_table.h"

namespace lb {

// What a request is known by in a pool with stickiness; absent where it lacks that. The same on
// every machine.
std::optional<StickyKey> sticky_key(const StickyConfig& sticky, const RequestHead& head,
                                    const Address& source);

}  // namespace lb
