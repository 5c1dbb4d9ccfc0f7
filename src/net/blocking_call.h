// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace lb {

// For threads that may wait, which no worker and not the control thread ever may.

// The addresses of a host, which may be one itself.
Result<std::vector<Address>> look_up(const std::string& host, uint16_t port);

// Sends `request` over a connection of its own to the first address that takes one, and receives
// until the other side ends or `is_whole` says so, at most `most` bytes and until `deadline_ms`.
Result<std::string> call(const std::vector<Address>& addresses, std::string_view request,
                         const std::function<bool(std::string_view)>& is_whole, size_t most,
                         int64_t deadline_ms);

}  // namespace lb
