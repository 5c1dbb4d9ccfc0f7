// SPDX-License-Identifier: MIT
#include "l7/http2_hpack_encoder.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace lb {

namespace {

// RFC 7541, appendix A: names by index, and the values that some of them have.
constexpr std::array<std::string_view, 62> kNames = {"",
                                                     ":authority",
                                                     ":method",
                                                     ":method",
                                                     ":path",
                                                     ":path",
                                                     ":scheme",
                                                     ":scheme",
                                                     ":status",
                                                     ":status",
                                                     ":status",
                                                     ":status",
                                                     ":status",
                                                     ":status",
                                                     ":status",
                                                     "accept-charset",
                                                     "accept-encoding",
                                                     "accept-language",
                                                     "accept-ranges",
                                                     "accept",
                                                     "access-control-allow-origin",
                                                     "age",
                                                     "allow",
                                                     "authorization",
                                                     "cache-control",
                                                     "content-disposition",
                                                     "content-encoding",
                                                     "content-language",
                                                     "content-length",
                                                     "content-location",
                                                     "content-range",
                                                     "content-type",
                                                     "cookie",
                                                     "date",
                                                     "etag",
                                                     "expect",
                                                     "expires",
                                                     "from",
                                                     "host",
                                                     "if-match",
                                                     "if-modified-since",
                                                     "if-none-match",
                                                     "if-range",
                                                     "if-unmodified-since",
                                                     "last-modified",
                                                     "link",
                                                     "location",
                                                     "max-forwards",
                                                     "proxy-authenticate",
                                                     "proxy-authorization",
                                                     "range",
                                                     "referer",
                                                     "refresh",
                                                     "retry-after",
                                                     "server",
                                                     "set-cookie",
                                                     "strict-transport-security",
                                                     "transfer-encoding",
                                                     "user-agent",
                                                     "vary",
                                                     "via",
                                                     "www-authenticate"};
constexpr std::array<std::string_view, 17> kValues = {
    "",    "",    "GET", "POST", "/",   "/index.html", "http", "https",        "200",
    "204", "206", "304", "400",  "404", "500",         "",     "gzip, deflate"};

constexpr uint8_t kIndexed = 0x80;
constexpr uint8_t kLiteral = 0x00;
// Whoever passes it on must not put it into a table either (RFC 7541, 7.1.3).
constexpr uint8_t kNeverIndexed = 0x10;
constexpr char kNoTable = 0x20;
// What a field may need beside its name and value.
constexpr size_t kMostFraming = 32;

// Their indexes by length, and where those of each length begin.
constexpr auto kByLength = [] {
  std::array<uint8_t, kNames.size()> sorted{};
  for (size_t i = 0; i < sorted.size(); ++i) sorted[i] = static_cast<uint8_t>(i);
  std::sort(sorted.begin(), sorted.end(), [](uint8_t a, uint8_t b) {
    return std::pair(kNames[a].size(), a) < std::pair(kNames[b].size(), b);
  });
  return sorted;
}();
constexpr size_t kLongestName = kNames[kByLength.back()].size();
constexpr auto kBegins = [] {
  std::array<uint8_t, kLongestName + 2> begins{};
  for (size_t size = 0; size < begins.size(); ++size) {
    while (begins[size] < kByLength.size() && kNames[kByLength[begins[size]]].size() < size) {
      ++begins[size];
    }
  }
  return begins;
}();

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// The first index of a name; 0 = the table does not have it.
uint8_t index_of(std::string_view name) {
  if (name.empty() || name.size() > kLongestName) return 0;
  char last = lower(name.back());
  for (size_t i = kBegins[name.size()]; i < kBegins[name.size() + 1]; ++i) {
    std::string_view known = kNames[kByLength[i]];
    if (known.back() == last && equal_nocase(known, name)) return kByLength[i];
  }
  return 0;
}

// 0 = the table does not have this value of the name.
uint8_t index_of(uint8_t name, std::string_view value) {
  if (value.empty()) return 0;
  for (uint8_t i = name; i < kValues.size() && kNames[i] == kNames[name]; ++i) {
    if (kValues[i] == value) return i;
  }
  return 0;
}

// RFC 7541, 5.1.
char* put_number(char* to, uint8_t first, unsigned bits, size_t number) {
  const size_t most = (size_t{1} << bits) - 1;
  *to++ = static_cast<char>(first | std::min(number, most));
  if (number < most) return to;
  for (number -= most; number >= 128; number /= 128) {
    *to++ = static_cast<char>(number % 128 + 128);
  }
  *to++ = static_cast<char>(number);
  return to;
}

bool is_secret(FieldId id) {
  return id == FieldId::authorization;
}

char* put_field(char* to, const Field& field) {
  uint8_t name = index_of(field.name);
  if (uint8_t whole = index_of(name, field.value)) return put_number(to, kIndexed, 7, whole);
  to = put_number(to, is_secret(field.id) ? kNeverIndexed : kLiteral, 4, name);
  if (name == 0) {
    to = put_number(to, 0, 7, field.name.size());
    to = std::transform(field.name.begin(), field.name.end(), to, lower);
  }
  to = put_number(to, 0, 7, field.value.size());
  return std::copy(field.value.begin(), field.value.end(), to);
}

}  // namespace

void HpackEncoder::encode(std::span<const Field> fields, std::string& out) {
  size_t most = 1;
  for (const Field& field : fields) most += field.name.size() + field.value.size() + kMostFraming;
  const size_t at = out.size();
  out.resize(at + most);
  char* to = out.data() + at;
  if (!std::exchange(has_begun_, true)) *to++ = kNoTable;
  for (const Field& field : fields) to = put_field(to, field);
  out.resize(static_cast<size_t>(to - out.data()));
}

}  // namespace lb
