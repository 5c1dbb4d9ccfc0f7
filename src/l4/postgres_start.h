// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lb {

// How a PostgreSQL connection begins (PostgreSQL's manual, "SSL Session Encryption" and "Message
// Formats"): what a client asks for before anything else. Pure functions over bytes; any thread.
enum class PostgresStart {
  incomplete,
  ssl_request,     // wants TLS: answered by kPostgresYes, then it begins
  gssenc_request,  // wants GSSAPI encryption: answered by kPostgresNo, then it asks for another
  direct_tls,      // begins with TLS at once, as PostgreSQL 17 may
  cancel_request,  // has no other way than in clear in most clients, and holds a secret of its own
  plain,           // wants to go on in clear
  invalid,
};

inline constexpr size_t kPostgresRequest = 8;  // bytes of ssl_request and gssenc_request
inline constexpr char kPostgresYes = 'S';
inline constexpr char kPostgresNo = 'N';

PostgresStart parse_postgres_start(std::string_view bytes);

// The message that tells a client why it is turned away.
std::string postgres_error(std::string_view message);

}  // namespace lb
