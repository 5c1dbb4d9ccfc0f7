// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "l7/http_message.h"

namespace lb {

// A request's place in a distributed trace (W3C Trace Context). Ids are never zero in a valid one.
struct TraceContext {
  uint64_t trace[2] = {0, 0};  // the upper half first
  uint64_t parent = 0;         // the client's span; 0 = the trace begins here
  uint64_t span = 0;           // ours
  bool is_sampled = false;     // it is recorded, here and by those behind us
};

// "00-<trace>-<span>-<flags>", as strictly as the standard has it; of later versions what this one
// knows. False: it is none. `context.parent` is the span that it names.
bool parse_traceparent(std::string_view text, TraceContext& context);

// Goes on with the trace that the request belongs to, whose own mark says whether it is sampled, or
// begins one, sampled in so many of a hundred cases. Servers are told in `traceparent`; what other
// traces' `tracestate` says goes with the context that it belongs to. `random` is 192 fresh bits,
// and 32 more for the lot.
TraceContext take_up_trace(KeptRequest& request, uint32_t sample_percent,
                           const uint64_t (&random)[4]);

// Hexadecimal digits, as ids are written; 16 of them.
void write_trace_id(uint64_t id, char* digits);

}  // namespace lb
