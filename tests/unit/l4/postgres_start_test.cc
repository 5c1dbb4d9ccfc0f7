// SPDX-License-Identifier: MIT
#include "l4/postgres_start.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

std::string bytes_of(const char* bytes, size_t size) {
  return {bytes, size};
}

struct Row {
  const char* what;
  std::string bytes;
  PostgresStart start;
};

class PostgresStarts : public testing::TestWithParam<Row> {};

TEST_P(PostgresStarts, AreToldApart) {
  EXPECT_EQ(parse_postgres_start(GetParam().bytes), GetParam().start);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, PostgresStarts,
    testing::Values(
        Row{"ssl", bytes_of("\0\0\0\x08\x04\xd2\x16\x2f", 8), PostgresStart::ssl_request},
        Row{"gss", bytes_of("\0\0\0\x08\x04\xd2\x16\x30", 8), PostgresStart::gssenc_request},
        Row{"cancel", bytes_of("\0\0\0\x10\x04\xd2\x16\x2e", 8), PostgresStart::cancel_request},
        Row{"startup", bytes_of("\0\0\0\x29\0\x03\0\0", 8), PostgresStart::plain},
        Row{"tls", "\x16\x03\x01", PostgresStart::direct_tls},
        Row{"nothing", "", PostgresStart::incomplete},
        Row{"half", bytes_of("\0\0\0\x08\x04", 5), PostgresStart::incomplete},
        Row{"http", "GET / HTTP/1.1\r\n", PostgresStart::invalid},
        Row{"ssl_of_wrong_length", bytes_of("\0\0\0\x09\x04\xd2\x16\x2f", 8),
            PostgresStart::invalid},
        Row{"too_short", bytes_of("\0\0\0\x04\0\x03\0\0", 8), PostgresStart::invalid},
        Row{"too_long", bytes_of("\0\x01\0\0\0\x03\0\0", 8), PostgresStart::invalid}),
    [](const auto& row) { return row.param.what; });

TEST(PostgresError, IsAnErrorResponse) {
  std::string error = postgres_error("no");
  EXPECT_EQ(error, bytes_of("E\0\0\0\x1eSFATAL\0VFATAL\0C28000\0Mno\0\0", 31));
}

}  // namespace
}  // namespace lb
