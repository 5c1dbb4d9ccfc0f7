// SPDX-License-Identifier: MIT
#include "l7/http1_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "l7/http1_writer.h"

namespace lb {
namespace {

RequestHead parse(const std::string& bytes) {
  static std::string kept;
  kept = bytes;
  RequestParser parser;
  RequestHead head;
  EXPECT_EQ(parser.parse(kept, {}, head), Parse::complete) << bytes << parser.refusal().why;
  EXPECT_EQ(parser.size(), kept.size());
  return head;
}

std::string wire_of(const RequestHead& head) {
  std::string out;
  write_request(head, false, out);
  return out;
}

TEST(RequestParser, ReadsWhatARequestSays) {
  RequestHead head = parse(
      "PUT /a/b?c=d HTTP/1.1\r\nHost: x:80\r\nContent-Length: 3\r\nAccept: text/html\r\n"
      "X-Custom:  two words \r\n\r\n");
  EXPECT_EQ(head.method, Method::put);
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "?c=d");
  EXPECT_EQ(head.authority, "x:80");
  EXPECT_EQ(head.body, BodyKind::length);
  EXPECT_EQ(head.length, 3u);
  EXPECT_FALSE(head.is_last);
  ASSERT_EQ(head.fields.size(), 2u);
  EXPECT_EQ(head.fields[0].id, FieldId::accept);
  EXPECT_EQ(head.fields[1].name, "X-Custom");
  EXPECT_EQ(head.fields[1].value, "two words");
}

TEST(RequestParser, WhatBelongsToTheConnectionIsNotPassedOn) {
  RequestHead head = parse(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nx-hop: 2\r\n"
      "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X\r\n"
      "Upgrade: websocket\r\nX-Stays: yes\r\n\r\n");
  EXPECT_TRUE(head.is_last);
  EXPECT_TRUE(head.takes_trailers);
  EXPECT_EQ(wire_of(head), "GET / HTTP/1.1\r\nHost: a\r\nX-Stays: yes\r\n\r\n");
}

TEST(RequestParser, AnOldClientExpectsNothing) {
  RequestHead head = parse("GET / HTTP/1.0\r\nHost: a\r\nExpect: 200-ok\r\nX: 1\r\n\r\n");
  EXPECT_FALSE(head.expects_continue);
  EXPECT_EQ(wire_of(head), "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n");
}

TEST(RequestParser, KeepsTheConnectionAsItsVersionSays) {
  struct Row {
    const char* version;
    const char* connection;
    bool is_last;
  };
  const Row rows[] = {
      {"1.1", "", false},
      {"1.1", "Connection: close\r\n", true},
      {"1.1", "Connection: Close\r\n", true},
      {"1.1", "Connection: keep-alive\r\n", false},
      {"1.1", "Connection: x\r\nConnection: y, close\r\n", true},
      {"1.0", "", true},
      {"1.0", "Connection: keep-alive\r\n", false},
      {"1.0", "Connection: Keep-Alive, close\r\n", true},
  };
  for (const Row& row : rows) {
    std::string bytes =
        std::string("GET / HTTP/") + row.version + "\r\nHost: a\r\n" + row.connection + "\r\n";
    EXPECT_EQ(parse(bytes).is_last, row.is_last) << bytes;
  }
}

TEST(RequestParser, UpgradesOnlyToProtocolsThatHideNoRequests) {
  struct Row {
    const char* fields;
    const char* upgrade;
  };
  const Row rows[] = {
      {"Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket"},
      {"Connection: keep-alive, upgrade\r\nUpgrade: x/1\r\n", "x/1"},
      {"Upgrade: websocket\r\n", ""},
      {"Connection: upgrade\r\n", ""},
      {"Connection: upgrade\r\nUpgrade: h2c\r\n", ""},
      {"Connection: upgrade\r\nUpgrade: websocket, h2c\r\n", ""},
      {"Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n", ""},
      {"Connection: upgrade\r\nUpgrade: TLS/1.3\r\n", ""},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(parse(std::string("GET / HTTP/1.1\r\nHost: a\r\n") + row.fields + "\r\n").upgrade,
              row.upgrade)
        << row.fields;
  }
}

TEST(RequestParser, LimitsAreToldBeforeTheHeadIsComplete) {
  const HeadLimits limits{100, 300};
  struct Row {
    std::string bytes;
    int status;
  };
  const Row rows[] = {
      {"GET /" + std::string(200, 'a'), 414},
      {"GET /" + std::string(100, 'a') + " HTTP/1.1\r\n", 414},
      {std::string(200, 'a'), 400},
      {"GET / HTTP/1.1\r\nX: " + std::string(300, 'a'), 431},
      {"GET / HTTP/3.0\r\n", 400},
      {"\x16\x03\x01", 400},
  };
  for (const Row& row : rows) {
    RequestParser parser;
    RequestHead head;
    ASSERT_EQ(parser.parse(row.bytes, limits, head), Parse::refused) << row.bytes;
    EXPECT_EQ(parser.refusal().status, row.status) << row.bytes;
  }
}

TEST(RequestParser, ExpectsContinueOnlyInHttp11) {
  const std::string fields = "\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
  EXPECT_TRUE(parse("POST / HTTP/1.1" + fields).expects_continue);
  EXPECT_FALSE(parse("POST / HTTP/1.0" + fields).expects_continue);
}

TEST(RequestLine, IsMadeOutAsFarAsItGoes) {
  struct Row {
    const char* bytes;
    const char* method;
    const char* path;
    const char* query;
  };
  const Row rows[] = {
      {"GET /a?b HTTP/1.1\r\nHost", "GET", "/a", "?b"},
      {"\r\nGET /a HTTP/1.1\r\n", "GET", "/a", ""},
      {"GET /unfinished", "GET", "/unfinished", ""},
      {"GET /a\nHost: a\n", "GET", "/a", ""},
      {"GET  HTTP/1.1\r\n", "GET", "", ""},
      {"GET", "", "", ""},
      {"G\x01T / HTTP/1.1\r\n", "", "", ""},
      {"\x16\x03\x01 x", "", "", ""},
      {"\r\n", "", "", ""},
      {"", "", "", ""},
  };
  for (const Row& row : rows) {
    RequestHead head;
    head.method_name = "STALE";
    read_request_line(row.bytes, head);
    EXPECT_EQ(head.method_name, row.method) << row.bytes;
    EXPECT_EQ(head.path, row.path) << row.bytes;
    EXPECT_EQ(head.query, row.query) << row.bytes;
  }
}

TEST(ResponseParser, TellsHowItsBodyEnds) {
  struct Row {
    const char* what;
    Method method;
    const char* bytes;
    BodyKind body;
    uint64_t length;
    bool is_last;
  };
  const Row rows[] = {
      {"a length", Method::get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BodyKind::length, 5,
       false},
      {"no bytes", Method::get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", BodyKind::none, 0,
       false},
      {"chunked", Method::get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       BodyKind::streamed, 0, false},
      {"neither", Method::get, "HTTP/1.1 200 OK\r\n\r\n", BodyKind::until_close, 0, true},
      {"HTTP/1.0", Method::get, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", BodyKind::length, 5,
       true},
      {"HTTP/1.0 kept", Method::get,
       "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", BodyKind::length,
       5, false},
      {"close", Method::get, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
       BodyKind::length, 5, true},
      {"to HEAD", Method::head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BodyKind::none, 5,
       false},
      {"to HEAD without length", Method::head, "HTTP/1.1 200 OK\r\n\r\n", BodyKind::none, 0, false},
      {"204", Method::get, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", BodyKind::none,
       0, false},
      {"304", Method::get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", BodyKind::none,
       5, false},
      {"100", Method::post, "HTTP/1.1 100 Continue\r\n\r\n", BodyKind::none, 0, false},
      {"103", Method::get, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", BodyKind::none, 0,
       false},
      {"no reason", Method::get, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", BodyKind::none, 0,
       false},
      {"no reason nor space", Method::get, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
       BodyKind::none, 0, false},
  };
  for (const Row& row : rows) {
    ResponseParser parser;
    ResponseHead head;
    ASSERT_EQ(parser.parse(row.bytes, row.method, head), Parse::complete) << row.what;
    EXPECT_EQ(head.body, row.body) << row.what;
    EXPECT_EQ(head.length.value_or(0), row.length) << row.what;
    EXPECT_EQ(head.is_last, row.is_last) << row.what;
  }
}

TEST(ResponseParser, RefusesWhatIsUnclear) {
  const char* const rows[] = {
      "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
      "HTTP/1.1 200OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 600 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "<html>",
      "SSH-2.0-OpenSSH\r\n",
  };
  for (const char* row : rows) {
    ResponseParser parser;
    ResponseHead head;
    EXPECT_EQ(parser.parse(row, Method::get, head), Parse::refused) << row;
  }
}

TEST(ResponseParser, AHeadWithoutEndIsRefused) {
  std::string bytes = "HTTP/1.1 200 OK\r\nX: " + std::string(kMaxResponseHead, 'a');
  ResponseParser parser;
  ResponseHead head;
  EXPECT_EQ(parser.parse(bytes, Method::get, head), Parse::refused);
}

TEST(Authority, IsAHostWithOrWithoutPort) {
  for (const char* good : {"a", "a.example", "a:80", "a:", "127.0.0.1:1", "[::1]", "[::1]:80",
                           "xn--bcher-kva.example", "a_b", "%41"}) {
    EXPECT_TRUE(is_authority(good)) << good;
  }
  for (const char* bad : {":80", "a:65536", "a:x", "a:-1", "a b", "a/b", "a@b", "a,b", "[::1", "[]",
                          "[::1]x", "a:80:80", "[a]", "a\\b", "a?b"}) {
    EXPECT_FALSE(is_authority(bad)) << bad;
  }
}

}  // namespace
}  // namespace lb
