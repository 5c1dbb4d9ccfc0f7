// SPDX-License-Identifier: MIT
#include "health/dns_message.h"

#include <algorithm>
#include <optional>

namespace lb {

namespace {

constexpr size_t kHeader = 12;
constexpr size_t kMostNameBytes = 255;
constexpr uint16_t kInternet = 1;

constexpr uint16_t kIsAnswer = 0x8000;
constexpr uint16_t kOpcode = 0x7800;
constexpr uint16_t kTruncated = 0x0200;
constexpr uint16_t kRecursionDesired = 0x0100;
constexpr uint16_t kRcode = 0x000F;

void append16(std::string& to, uint16_t value) {
  to.push_back(static_cast<char>(value >> 8));
  to.push_back(static_cast<char>(value & 0xFF));
}

void append_name(std::string& to, std::string_view name) {
  if (name == ".") name = {};
  while (!name.empty()) {
    size_t dot = std::min(name.find('.'), name.size());
    to.push_back(static_cast<char>(dot));
    to.append(name.substr(0, dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  to.push_back('\0');
}

uint8_t byte_at(std::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}

uint16_t get16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// Where the name that begins at `at` ends, if it is one. A pointer leads to what came before, so
// that there is nothing to follow.
std::optional<size_t> end_of_name(std::string_view message, size_t at) {
  size_t begin = at;
  while (at < message.size() && at - begin < kMostNameBytes) {
    uint8_t length = byte_at(message, at);
    if (length == 0) return at + 1;
    if ((length & 0xC0) == 0xC0) {
      if (at + 2 > message.size()) return std::nullopt;
      size_t target = get16(message, at) & 0x3FFF;
      if (target < kHeader || target >= begin) return std::nullopt;
      return at + 2;
    }
    if (length > 63) return std::nullopt;
    at += 1 + length;
  }
  return std::nullopt;
}

char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_but_for_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower_case(x) == lower_case(y); });
}

bool records_are_whole(std::string_view message, size_t at, size_t count) {
  constexpr size_t kTypeToLength = 10;
  for (size_t i = 0; i < count; ++i) {
    auto name_end = end_of_name(message, at);
    if (!name_end || *name_end + kTypeToLength > message.size()) return false;
    at = *name_end + kTypeToLength + get16(message, *name_end + 8);
    if (at > message.size()) return false;
  }
  return true;
}

}  // namespace

std::string dns_query(uint16_t id, const DnsQuestion& question) {
  std::string query;
  append16(query, id);
  append16(query, kRecursionDesired);
  append16(query, 1);
  for (int i = 0; i < 3; ++i) append16(query, 0);
  append_name(query, question.name);
  append16(query, question.type);
  append16(query, kInternet);
  return query;
}

DnsReply parse_dns_reply(std::string_view message, uint16_t id, const DnsQuestion& question) {
  DnsReply answer;
  if (message.size() < kHeader || get16(message, 0) != id) return answer;
  uint16_t flags = get16(message, 2);
  if ((flags & kIsAnswer) == 0 || (flags & kOpcode) != 0) return answer;
  answer.rcode = static_cast<uint8_t>(flags & kRcode);
  answer.answers = get16(message, 6);
  std::string asked = dns_query(id, question).substr(kHeader);
  size_t questions = get16(message, 4);
  if (questions == 0) {
    // Some refuse without repeating the question.
    answer.kind = answer.rcode == 0 ? DnsReply::Kind::malformed : DnsReply::Kind::whole;
    return answer;
  }
  if (questions != 1 || !equal_but_for_case(message.substr(kHeader, asked.size()), asked)) {
    return answer;
  }
  if ((flags & kTruncated) != 0) {
    answer.kind = DnsReply::Kind::truncated;
    return answer;
  }
  size_t records = size_t{answer.answers} + get16(message, 8) + get16(message, 10);
  bool whole = records_are_whole(message, kHeader + asked.size(), records);
  answer.kind = whole ? DnsReply::Kind::whole : DnsReply::Kind::malformed;
  return answer;
}

std::string dns_rcode_name(uint8_t rcode) {
  constexpr const char* kNames[] = {"NOERROR",  "FORMERR", "SERVFAIL",
                                    "NXDOMAIN", "NOTIMP",  "REFUSED"};
  if (rcode < std::size(kNames)) return kNames[rcode];
  return "rcode " + std::to_string(rcode);
}

}  // namespace lb
