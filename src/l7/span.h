// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "l7/exchange_record.h"

namespace lb {

// The span of a request that has ended, as OTLP has it in JSON. `record.trace` is there. `now_ns`
// is the end of the request, since 1970.
std::string span_of(const ExchangeRecord& record, std::string_view listener, int64_t now_ns);

}  // namespace lb
