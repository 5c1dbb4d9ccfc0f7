// SPDX-License-Identifier: MIT
#include "net/client_hello.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lb {
namespace {

using State = ClientHello::State;

// `value` in `size` bytes.
std::string number(size_t value, size_t size) {
  std::string bytes;
  for (size_t i = size; i-- > 0;) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

std::string vector_of(const std::string& content, size_t size) {
  return number(content.size(), size) + content;
}

std::string extension(size_t type, const std::string& content) {
  return number(type, 2) + vector_of(content, 2);
}

std::string host_name(const std::string& name) {
  return number(0, 1) + vector_of(name, 2);
}

std::string sni(const std::string& names) {
  return extension(0, vector_of(names, 2));
}

std::string message(const std::string& extensions, bool has_extensions = true) {
  std::string body = number(0x0303, 2) + std::string(32, 'r') + vector_of("session", 1) +
                     vector_of("\x13\x01\x13\x02", 2) + vector_of(std::string(1, '\0'), 1);
  if (has_extensions) body += vector_of(extensions, 2);
  return number(1, 1) + vector_of(body, 3);
}

std::string record(const std::string& fragment) {
  return "\x16\x03\x01" + vector_of(fragment, 2);
}

std::string hello(const std::string& name) {
  return record(message(extension(10, "groups") + sni(host_name(name)) + extension(43, "v")));
}

struct Row {
  const char* what;
  std::string bytes;
  State state;
  const char* name = "";
};

class ClientHellos : public testing::TestWithParam<Row> {};

TEST_P(ClientHellos, AreReadForTheName) {
  ClientHello parsed = parse_client_hello(GetParam().bytes);
  EXPECT_EQ(parsed.state, GetParam().state);
  EXPECT_EQ(parsed.server_name, GetParam().name);
}

// Once invalid no byte makes it valid, and before its end a valid one is incomplete.
TEST_P(ClientHellos, AreJudgedTheSameHoweverTheyAreCut) {
  const std::string& bytes = GetParam().bytes;
  for (size_t size = 0; size < bytes.size(); ++size) {
    State state = parse_client_hello(std::string_view(bytes).substr(0, size)).state;
    if (state == State::incomplete) continue;
    EXPECT_EQ(state, GetParam().state) << size;
  }
}

std::string split_over_records(const std::string& whole, size_t at) {
  return record(whole.substr(0, at)) + record(whole.substr(at));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ClientHellos,
    testing::Values(
        Row{"name", hello("db.example.com"), State::complete, "db.example.com"},
        Row{"upper_case_and_dot", hello("DB.Example.COM."), State::complete, "db.example.com"},
        Row{"bytes_behind", hello("a.b") + "more", State::complete, "a.b"},
        Row{"no_sni", record(message(extension(10, "x"))), State::complete},
        Row{"no_extensions", record(message("", false)), State::complete},
        Row{"empty_extensions", record(message("")), State::complete},
        Row{"two_records", split_over_records(message(sni(host_name("a.b"))), 3), State::complete,
            "a.b"},
        Row{"two_records_later", split_over_records(message(sni(host_name("a.b"))), 60),
            State::complete, "a.b"},
        Row{"other_name_type", record(message(sni("\x01" + vector_of("zz", 2) + host_name("a.b")))),
            State::complete, "a.b"},
        Row{"nothing", "", State::incomplete}, Row{"http", "GET / HTTP/1.1\r\n", State::not_tls},
        Row{"ssl2", std::string("\x80\x2e\x01", 3), State::not_tls},
        Row{"postgres", std::string("\0\0\0\x08", 4), State::not_tls},
        Row{"wrong_version", "\x16\x04\x01", State::invalid},
        Row{"empty_record", std::string("\x16\x03\x01\0\0", 5), State::invalid},
        Row{"long_record", "\x16\x03\x01\x41\x01", State::invalid},
        Row{"server_hello", record("\x02" + vector_of("x", 3)), State::invalid},
        Row{"huge_message", record("\x01\xff\xff\xff"), State::invalid},
        Row{"alert_between", record(message(sni(host_name("a.b"))).substr(0, 9)) + "\x15",
            State::invalid},
        Row{"two_names", record(message(sni(host_name("a.b") + host_name("c.d")))), State::invalid},
        Row{"two_snis", record(message(sni(host_name("a.b")) + sni(host_name("a.b")))),
            State::invalid},
        Row{"empty_name", hello(""), State::invalid},
        Row{"nul_in_name", hello(std::string("a\0b", 3)), State::invalid},
        Row{"long_name", hello(std::string(256, 'a')), State::invalid},
        Row{"empty_list", record(message(sni(""))), State::invalid},
        Row{"cut_extension", record(message(std::string(1, '\0'))), State::invalid},
        Row{"bytes_behind_list",
            record(message(extension(0, vector_of(host_name("a.b"), 2) + "x"))), State::invalid}),
    [](const auto& row) { return row.param.what; });

TEST(ClientHello, OneThatNeverEndsIsInvalidAtTheLimit) {
  std::string body = number(1, 1) + number(kMaxClientHello - 4, 3);
  std::string bytes = record(body);
  while (bytes.size() < kMaxClientHello - 1) {
    EXPECT_EQ(parse_client_hello(bytes).state, State::incomplete);
    bytes += record("x");
  }
  bytes += record(std::string(100, 'x'));
  EXPECT_EQ(parse_client_hello(bytes).state, State::invalid);
}

}  // namespace
}  // namespace lb
