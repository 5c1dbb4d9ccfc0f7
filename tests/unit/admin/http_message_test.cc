// SPDX-License-Identifier: MIT
#include "admin/http_message.h"

#include <gtest/gtest.h>

namespace lb::admin {
namespace {

std::string head(const std::string& lines) {
  return "GET /api/servers HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n";
}

TEST(RequestHead, IsReadIntoItsParts) {
  auto request = parse_request_head(
      "PUT /api/servers/%61b/state?pool=a%20b&x&=y HTTP/1.1\r\nhost: localhost:9900\r\n"
      "X-Empty:\r\nX-Spaced: \t a b \t\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->method, "PUT");
  EXPECT_EQ(request->path, "/api/servers/ab/state");
  EXPECT_EQ(request->query, (std::vector<HttpField>{{"pool", "a b"}, {"x", ""}, {"", "y"}}));
  EXPECT_EQ(*request->field("HOST"), "localhost:9900");
  EXPECT_EQ(*request->field("x-empty"), "");
  EXPECT_EQ(*request->field("X-Spaced"), "a b");
  EXPECT_EQ(request->field("X-None"), nullptr);
  EXPECT_EQ(request->content_length, 12U);
  EXPECT_TRUE(request->keep_alive);
  EXPECT_TRUE(request->expects_continue);
}

TEST(RequestHead, SaysWhetherTheConnectionStays) {
  EXPECT_TRUE(parse_request_head(head(""))->keep_alive);
  EXPECT_FALSE(parse_request_head(head("Connection: foo, Close\r\n"))->keep_alive);
  EXPECT_FALSE(parse_request_head("GET / HTTP/1.0\r\n\r\n")->keep_alive);
  EXPECT_TRUE(parse_request_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

TEST(RequestHead, EveryMistakeHasItsStatus) {
  struct Row {
    std::string bytes;
    int status;
  };
  std::string fields;
  for (int i = 0; i < 64; ++i) fields += "A: b\r\n";
  const Row rows[] = {
      {"\r\n", 400},
      {"GET\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / FTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\n", 505},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\xC3\xA4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /?a=%0 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /" + std::string(4'096, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {head("No colon\r\n"), 400},
      {head("Space : a\r\n"), 400},
      {head(" folded\r\n"), 400},
      {head(": a\r\n"), 400},
      {head("A: b\rc\r\n"), 400},
      {head(std::string("A: b\0c\r\n", 8)), 400},
      {head(fields), 431},
      {head("Content-Length: -1\r\n"), 400},
      {head("Content-Length: +1\r\n"), 400},
      {head("Content-Length: 1, 1\r\n"), 400},
      {head("Content-Length: 0x1\r\n"), 400},
      {head("Content-Length:\r\n"), 400},
      {head("Content-Length: 99999999999999999999999\r\n"), 400},
      {head("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
      {head("Transfer-Encoding: chunked\r\n"), 411},
      {head("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 411},
      {head("Expect: miracles\r\n"), 417},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.bytes.substr(0, 100));
    auto request = parse_request_head(row.bytes);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().status, row.status) << request.error().message;
  }
}

TEST(RequestHead, EndsAtItsEmptyLine) {
  EXPECT_EQ(end_of_head("GET / HTTP/1.1\r\n\r\nbody"), 18U);
  EXPECT_EQ(end_of_head("a\n\nb"), 3U);
  EXPECT_EQ(end_of_head("a\n\r\nb"), 4U);
  EXPECT_FALSE(end_of_head("a\r\n"));
  EXPECT_FALSE(end_of_head("a\r\n\r"));
  EXPECT_FALSE(end_of_head(""));
}

TEST(Response, IsWrittenWithItsLength) {
  HttpResponse response{.status = 405, .fields = {{"Allow", "GET"}}, .body = "{}"};
  EXPECT_EQ(to_wire(response, true, false),
            "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\n\r\n{}");
  EXPECT_TRUE(to_wire(response, false, true).ends_with("Connection: close\r\n\r\n"));
}

}  // namespace
}  // namespace lb::admin
