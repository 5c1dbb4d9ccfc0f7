// SPDX-License-Identifier: MIT
#include "health/http_response.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

using State = HttpResponse::State;

struct Row {
  const char* what;
  std::string bytes;
  State before_end;
  State after_end;
  int status;
  std::string body;
};

State read(HttpResponse& response, const std::string& bytes, size_t piece) {
  State state = State::more;
  for (size_t at = 0; at < bytes.size() && state == State::more; at += piece) {
    state = response.add(std::string_view(bytes).substr(at, piece));
  }
  return state;
}

const std::string kHead = "HTTP/1.1 200 OK\r\n";

TEST(HttpResponses, EndWhereTheirLengthSays) {
  const Row rows[] = {
      {"a length", kHead + "Content-Length: 2\r\n\r\nok", State::done, State::done, 200, "ok"},
      {"no body", kHead + "content-length: 0\r\n\r\n", State::done, State::done, 200, ""},
      {"more than its length", kHead + "Content-Length: 2\r\n\r\nok, more", State::done,
       State::done, 200, "ok"},
      {"less than its length", kHead + "Content-Length: 3\r\n\r\nok", State::more, State::refused,
       200, "ok"},
      {"up to the end", kHead + "\r\nok", State::more, State::done, 200, "ok"},
      {"up to the end, empty", kHead + "\r\n", State::more, State::done, 200, ""},
      {"chunks", kHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;a=b\r\n!\r\n0\r\n\r\n",
       State::done, State::done, 200, "ok!"},
      {"chunks and trailers",
       kHead + "Transfer-Encoding: Chunked\r\n\r\n00A\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
       State::done, State::done, 200, "0123456789"},
      {"chunks without end", kHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", State::more,
       State::refused, 200, "ok"},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", State::done, State::done, 204, ""},
      {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", State::done, State::done,
       304, ""},
      {"an interim answer first", "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + kHead + "\r\nok",
       State::more, State::done, 200, "ok"},
      {"the same length twice", kHead + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
       State::done, State::done, 200, "ok"},
      {"bare line feeds", "HTTP/1.0 503 Busy\nContent-Length: 2\n\nno", State::done, State::done,
       503, "no"},
      {"no reason", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", State::done, State::done, 404, ""},
      {"an empty reason", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", State::done, State::done,
       404, ""},
  };
  for (const Row& row : rows) {
    for (size_t piece : {row.bytes.size(), size_t{1}, size_t{3}}) {
      HttpResponse response(false);
      EXPECT_EQ(read(response, row.bytes, piece), row.before_end) << row.what;
      EXPECT_EQ(response.end(), row.after_end) << row.what << ": " << response.why();
      EXPECT_EQ(response.status(), row.status) << row.what;
      EXPECT_EQ(response.body(), row.body) << row.what;
    }
  }
}

TEST(HttpResponses, ToHeadHaveNoBody) {
  HttpResponse response(true);
  EXPECT_EQ(response.add(kHead + "Content-Length: 1000\r\n\r\n"), State::done);
}

TEST(HttpResponses, AreRefusedWhereTheyAreNone) {
  struct Refused {
    const char* what;
    std::string bytes;
    std::string why;
  };
  const std::string chunked = kHead + "Transfer-Encoding: chunked\r\n\r\n";
  const Refused rows[] = {
      {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "no HTTP answer"},
      {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "no HTTP answer"},
      {"no status", "HTTP/1.1 OK\r\n\r\n", "no HTTP answer"},
      {"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "no HTTP answer"},
      {"a status of two", "HTTP/1.1 20 OK\r\n\r\n", "no HTTP answer"},
      {"a status too high", "HTTP/1.1 600 OK\r\n\r\n", "no HTTP answer"},
      {"no line ever", std::string(HttpResponse::kMaxHead + 1, 'x'), "a head of more than 32 KiB"},
      {"a header without end", kHead + "A: " + std::string(HttpResponse::kMaxHead, 'x'),
       "a head of more than 32 KiB"},
      {"very many headers",
       [] {
         std::string head = kHead;
         for (int i = 0; i < 10'000; ++i) head += "A: b\r\n";
         return head;
       }(),
       "a head of more than 32 KiB"},
      {"interim answers without end",
       [] {
         std::string heads;
         for (int i = 0; i < 2'000; ++i) heads += "HTTP/1.1 100 Continue\r\n\r\n";
         return heads;
       }(),
       "a head of more than 32 KiB"},
      {"a line without colon", kHead + "oops\r\n\r\n", "a broken header line"},
      {"a switch", "HTTP/1.1 101 Switching\r\n\r\n", "switched to another protocol"},
      {"a length that is none", kHead + "Content-Length: -1\r\n\r\n", "a broken content-length"},
      {"a huge length", kHead + "Content-Length: 99999999999999999999\r\n\r\n",
       "a broken content-length"},
      {"two lengths", kHead + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
       "two lengths of one body"},
      {"a length and chunks",
       kHead + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "two lengths of one body"},
      {"another coding", kHead + "Transfer-Encoding: gzip\r\n\r\n", "an unknown transfer coding"},
      {"a chunk of no size", chunked + "x\r\n", "a broken chunk"},
      {"a chunk of negative size", chunked + "-1\r\n", "a broken chunk"},
      {"a chunk too large for numbers", chunked + "FFFFFFFFFFFFFFFFF\r\n", "a broken chunk"},
      {"a chunk longer than it says", chunked + "1\r\nab\r\n", "a broken chunk"},
      {"a chunk extension without end", chunked + "1;" + std::string(70'000, 'x'),
       "more framing than body"},
      {"trailers without end",
       [&] {
         std::string bytes = chunked + "0\r\n";
         for (int i = 0; i < 20'000; ++i) bytes += "A: b\r\n";
         return bytes;
       }(),
       "more framing than body"},
  };
  for (const Refused& row : rows) {
    for (size_t piece : {row.bytes.size(), size_t{1'000}}) {
      HttpResponse response(false);
      EXPECT_EQ(read(response, row.bytes, piece), State::refused) << row.what;
      EXPECT_EQ(response.why(), row.why) << row.what;
    }
  }
}

TEST(HttpResponses, EndTooEarlyInTheHead) {
  HttpResponse nothing(false);
  EXPECT_EQ(nothing.end(), State::refused);
  EXPECT_STREQ(nothing.why(), "closed without an answer");
  HttpResponse half(false);
  half.add("HTTP/1.1 200");
  EXPECT_EQ(half.end(), State::refused);
  EXPECT_STREQ(half.why(), "closed in the middle of the head");
}

TEST(HttpResponses, OfAHugeBodyOnlyTheBeginningIsWaitedFor) {
  const std::string body(HttpResponse::kMaxBody + 100, 'x');
  for (const std::string& head : {kHead + "\r\n", kHead + "Content-Length: 1000000000000\r\n\r\n",
                                  kHead + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n"}) {
    HttpResponse response(false);
    EXPECT_EQ(read(response, head + body, 10'000), State::done);
    EXPECT_EQ(response.body().size(), HttpResponse::kMaxBody);
  }
}

TEST(HttpResponses, CarryALoadReport) {
  HttpResponse response(false);
  response.add(kHead + "Endpoint-Load-Metrics:  TEXT cpu=0.5 \r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(response.load(), "TEXT cpu=0.5");
}

}  // namespace
}  // namespace lb
