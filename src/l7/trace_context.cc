// SPDX-License-Identifier: MIT
#include "l7/trace_context.h"

#include <cstring>

namespace lb {

namespace {

constexpr size_t kIdDigits = 16;
// 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
constexpr size_t kSize = 2 + 1 + 2 * kIdDigits + 1 + kIdDigits + 1 + 2;
constexpr size_t kTraceAt = 3;
constexpr size_t kSpanAt = kTraceAt + 2 * kIdDigits + 1;
constexpr size_t kFlagsAt = kSpanAt + kIdDigits + 1;
constexpr uint64_t kSampled = 1;

// Lower case only, as the standard asks.
bool parse_hex(std::string_view digits, uint64_t& value) {
  value = 0;
  for (char c : digits) {
    bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (c < 'a' || c > 'f')) return false;
    value = value << 4 | static_cast<uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

// The request's one valid context; several are none.
bool find_context(const RequestHead& head, TraceContext& context) {
  const Field* found = nullptr;
  for (const Field& field : head.fields) {
    if (field.id != FieldId::traceparent) continue;
    if (found != nullptr) return false;
    found = &field;
  }
  return found != nullptr && parse_traceparent(found->value, context);
}

std::string_view write_traceparent(const TraceContext& context, KeptRequest& request) {
  char* text = request.allocate(kSize);
  std::memcpy(text, "00-", kTraceAt);
  write_trace_id(context.trace[0], text + kTraceAt);
  write_trace_id(context.trace[1], text + kTraceAt + kIdDigits);
  text[kSpanAt - 1] = '-';
  write_trace_id(context.span, text + kSpanAt);
  text[kFlagsAt - 1] = '-';
  text[kFlagsAt] = '0';
  text[kFlagsAt + 1] = context.is_sampled ? '1' : '0';
  return {text, kSize};
}

}  // namespace

void write_trace_id(uint64_t id, char* digits) {
  constexpr char kHex[] = "0123456789abcdef";
  for (size_t i = 0; i < kIdDigits; ++i) digits[i] = kHex[id >> (60 - 4 * i) & 15];
}

bool parse_traceparent(std::string_view text, TraceContext& context) {
  if (text.size() < kSize) return false;
  uint64_t version = 0;
  uint64_t flags = 0;
  bool good = parse_hex(text.substr(0, 2), version) &&
              parse_hex(text.substr(kTraceAt, kIdDigits), context.trace[0]) &&
              parse_hex(text.substr(kTraceAt + kIdDigits, kIdDigits), context.trace[1]) &&
              parse_hex(text.substr(kSpanAt, kIdDigits), context.parent) &&
              parse_hex(text.substr(kFlagsAt, 2), flags);
  good = good && text[2] == '-' && text[kSpanAt - 1] == '-' && text[kFlagsAt - 1] == '-';
  if (!good || version == 0xFF) return false;
  if (version == 0 && text.size() != kSize) return false;
  if (text.size() > kSize && text[kSize] != '-') return false;
  context.is_sampled = (flags & kSampled) != 0;
  return (context.trace[0] | context.trace[1]) != 0 && context.parent != 0;
}

TraceContext take_up_trace(KeptRequest& request, uint32_t sample_percent,
                           const uint64_t (&random)[4]) {
  auto& fields = request.head.fields;
  TraceContext context;
  bool goes_on = find_context(request.head, context);
  if (!goes_on) {
    context = {.trace = {random[0], random[1] | 1}, .is_sampled = random[3] % 100 < sample_percent};
  }
  context.span = random[2] | 1;
  std::erase_if(fields, [&](const Field& field) {
    return field.id == FieldId::traceparent || (!goes_on && field.id == FieldId::tracestate);
  });
  fields.push_back({"traceparent", write_traceparent(context, request), FieldId::traceparent});
  return context;
}

}  // namespace lb
