// SPDX-License-Identifier: MIT
#include "l7/http_message.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace lb {

namespace {

constexpr size_t kBlockSize = 2048;
constexpr size_t kUsualFields = 64;

struct KnownField {
  std::string_view name;
  FieldId id;
};

// By length, so that a name is compared with very few.
constexpr KnownField kKnownFields[] = {
    {"te", FieldId::te},
    {"via", FieldId::via},
    {"date", FieldId::date},
    {"host", FieldId::host},
    {"accept", FieldId::accept},
    {"cookie", FieldId::cookie},
    {"expect", FieldId::expect},
    {"server", FieldId::server},
    {"referer", FieldId::referer},
    {"trailer", FieldId::trailer},
    {"upgrade", FieldId::upgrade},
    {"forwarded", FieldId::forwarded},
    {"x-real-ip", FieldId::x_forwarded_other},
    {"connection", FieldId::connection},
    {"keep-alive", FieldId::keep_alive},
    {"set-cookie", FieldId::set_cookie},
    {"tracestate", FieldId::tracestate},
    {"user-agent", FieldId::user_agent},
    {"traceparent", FieldId::traceparent},
    {"x-request-id", FieldId::x_request_id},
    {"authorization", FieldId::authorization},
    {"content-length", FieldId::content_length},
    {"http2-settings", FieldId::http2_settings},
    {"x-forwarded-for", FieldId::x_forwarded_for},
    {"x-forwarded-host", FieldId::x_forwarded_host},
    {"x-forwarded-port", FieldId::x_forwarded_other},
    {"proxy-connection", FieldId::proxy_connection},
    {"transfer-encoding", FieldId::transfer_encoding},
    {"x-forwarded-proto", FieldId::x_forwarded_proto},
    {"x-forwarded-server", FieldId::x_forwarded_other},
    {"x-forwarded-prefix", FieldId::x_forwarded_other},
    {"endpoint-load-metrics", FieldId::endpoint_load},
};

constexpr size_t kLongestKnown = 21;

// Where the names of each length begin in kKnownFields.
constexpr auto kFirstOfLength = [] {
  std::array<uint8_t, kLongestKnown + 2> first{};
  for (size_t length = 0; length < first.size(); ++length) {
    size_t begin = 0;
    while (begin < std::size(kKnownFields) && kKnownFields[begin].name.size() < length) ++begin;
    first[length] = static_cast<uint8_t>(begin);
  }
  return first;
}();

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

const Field* find_field(const std::vector<Field>& fields, FieldId id) {
  for (const Field& field : fields) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

}  // namespace

Method method_of(std::string_view name) {
  switch (name.size()) {
    case 3:
      if (name == "GET") return Method::get;
      if (name == "PUT") return Method::put;
      break;
    case 4:
      if (name == "POST") return Method::post;
      if (name == "HEAD") return Method::head;
      break;
    case 5:
      if (name == "PATCH") return Method::patch;
      if (name == "TRACE") return Method::trace;
      break;
    case 6:
      if (name == "DELETE") return Method::delete_;
      break;
    case 7:
      if (name == "OPTIONS") return Method::options;
      if (name == "CONNECT") return Method::connect;
      break;
    default:
      break;
  }
  return Method::other;
}

bool is_idempotent(Method method) {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::put:
    case Method::delete_:
    case Method::options:
    case Method::trace:
      return true;
    default:
      return false;
  }
}

bool equal_nocase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

FieldId field_id(std::string_view name) {
  if (name.size() > kLongestKnown) return FieldId::other;
  char first = lower(name.empty() ? '\0' : name.front());
  for (size_t i = kFirstOfLength[name.size()]; i < kFirstOfLength[name.size() + 1]; ++i) {
    const KnownField& known = kKnownFields[i];
    if (known.name.front() == first && equal_nocase(known.name, name)) return known.id;
  }
  return FieldId::other;
}

void RequestHead::clear() {
  auto memory = std::move(fields);
  memory.clear();
  *this = {};
  fields = std::move(memory);
}

const Field* RequestHead::find(FieldId id) const {
  return find_field(fields, id);
}

void ResponseHead::clear() {
  auto memory = std::move(fields);
  memory.clear();
  *this = {};
  fields = std::move(memory);
}

const Field* ResponseHead::find(FieldId id) const {
  return find_field(fields, id);
}

char* KeptRequest::allocate(size_t size) {
  if (blocks_.empty() || blocks_.back().size - blocks_.back().used < size) {
    size_t room = std::max(size, kBlockSize);
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(room), room, 0});
  }
  Block& block = blocks_.back();
  char* at = block.bytes.get() + block.used;
  block.used += size;
  return at;
}

std::string_view KeptRequest::keep(std::string_view text) {
  if (text.empty()) return {};
  char* at = allocate(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

void KeptRequest::clear() {
  head.clear();
  if (head.fields.capacity() > kUsualFields) std::vector<Field>().swap(head.fields);
  blocks_.resize(std::min<size_t>(blocks_.size(), 1));
  if (blocks_.empty()) return;
  if (blocks_[0].size > kBlockSize) return blocks_.clear();
  blocks_[0].used = 0;
}

void KeptRequest::assign(const RequestHead& from) {
  head = from;
  head.method_name = keep(from.method_name);
  head.authority = keep(from.authority);
  head.path = keep(from.path);
  head.query = keep(from.query);
  head.upgrade = keep(from.upgrade);
  for (Field& field : head.fields) {
    field.name = keep(field.name);
    field.value = keep(field.value);
  }
}

// from_chars() takes no sign of an unsigned number, and no blanks.
bool parse_length(std::string_view text, uint64_t& length) {
  constexpr uint64_t kLongest = uint64_t{1} << 62;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  return error == std::errc() && end == text.data() + text.size() && length <= kLongest;
}

}  // namespace lb
