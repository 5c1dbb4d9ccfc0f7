// SPDX-License-Identifier: MIT
// Trace contexts of any bytes: what is taken up is written so that it reads the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "l7/trace_context.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  lb::TraceContext read;
  bool is_valid = lb::parse_traceparent(text, read);
  lb::KeptRequest request;
  request.head.fields.push_back({"traceparent", text, lb::FieldId::traceparent});
  lb::TraceContext taken = lb::take_up_trace(request, 50, {1, 2, 3, 4});
  if (is_valid && (taken.trace[0] != read.trace[0] || taken.trace[1] != read.trace[1] ||
                   taken.parent != read.parent || taken.is_sampled != read.is_sampled)) {
    std::abort();
  }
  const lb::Field* told = request.head.find(lb::FieldId::traceparent);
  lb::TraceContext again;
  if (told == nullptr || !lb::parse_traceparent(told->value, again)) std::abort();
  if (again.parent != taken.span || again.trace[1] != taken.trace[1]) std::abort();
  return 0;
}
