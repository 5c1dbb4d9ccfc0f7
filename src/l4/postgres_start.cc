// SPDX-License-Identifier: MIT
#include "l4/postgres_start.h"

#include <cstdint>

namespace lb {

namespace {

constexpr uint32_t kSslCode = 80'877'103;
constexpr uint32_t kGssCode = 80'877'104;
constexpr uint32_t kCancelCode = 80'877'102;
constexpr uint32_t kMostStartup = 10'000;  // as PostgreSQL has it
constexpr uint32_t kMostCancel = 268;      // 3.2 allows keys of 256 bytes
constexpr char kTlsHandshake = 22;

uint32_t number_at(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (char byte : bytes.substr(at, 4)) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

void append_number(std::string& to, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<char>(value >> shift));
}

}  // namespace

PostgresStart parse_postgres_start(std::string_view bytes) {
  if (bytes.empty()) return PostgresStart::incomplete;
  if (bytes[0] == kTlsHandshake) return PostgresStart::direct_tls;
  if (bytes[0] != 0) return PostgresStart::invalid;  // a length is small
  if (bytes.size() < kPostgresRequest) return PostgresStart::incomplete;
  uint32_t length = number_at(bytes, 0);
  uint32_t code = number_at(bytes, 4);
  if (length < kPostgresRequest || length > kMostStartup) return PostgresStart::invalid;
  if (code == kSslCode || code == kGssCode) {
    if (length != kPostgresRequest) return PostgresStart::invalid;
    return code == kSslCode ? PostgresStart::ssl_request : PostgresStart::gssenc_request;
  }
  if (code == kCancelCode) {
    return length > kMostCancel ? PostgresStart::invalid : PostgresStart::cancel_request;
  }
  return PostgresStart::plain;
}

std::string postgres_error(std::string_view message) {
  std::string fields;
  auto add = [&fields](char type, std::string_view value) {
    fields.push_back(type);
    fields.append(value).push_back('\0');
  };
  add('S', "FATAL");
  add('V', "FATAL");
  add('C', "28000");  // invalid_authorization_specification, as for pg_hba.conf's refusals
  add('M', message);
  fields.push_back('\0');
  std::string bytes = "E";
  append_number(bytes, static_cast<uint32_t>(fields.size() + 4));
  return bytes + fields;
}

}  // namespace lb
