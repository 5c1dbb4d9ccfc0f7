// SPDX-License-Identifier: MIT
#include "health/grpc_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http2_frames.h"

namespace lb {
namespace {

using testing::HasSubstr;

struct Row {
  const char* what;
  std::string answer;
  bool done;
  bool serving;
  std::string detail;
};

TEST(GrpcHealth, AsksForTheService) {
  GrpcHealthCall call("app.example:50051", "shop.Cart");
  std::string sent = call.to_send();
  EXPECT_TRUE(sent.starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_TRUE(sent.ends_with(grpc_message("\x0a\x09shop.Cart"))) << "HealthCheckRequest";
  EXPECT_EQ(call.to_send(), "");
  GrpcHealthCall whole("a", "");
  EXPECT_TRUE(whole.to_send().ends_with(grpc_message("")));
}

TEST(GrpcHealth, PassesOnServingAlone) {
  const std::string head = http2_head({{":status", "200"}, {"content-type", "application/grpc"}});
  const std::string fine = http2_head({{"grpc-status", "0"}}, true);
  auto answer = [&](const std::string& message) {
    return http2_settings() + head + http2_data(grpc_message(message)) + fine;
  };
  const Row rows[] = {
      {"serving", answer("\x08\x01"), true, true, "SERVING"},
      {"not serving", answer("\x08\x02"), true, false, "NOT_SERVING"},
      {"unknown", answer(""), true, false, "UNKNOWN"},
      {"a status of later", answer("\x08\x7f"), true, false, "serving status 127"},
      {"fields of later", answer(std::string("\x12\x02zz\x08\x01\x1d\0\0\0\0", 11)), true, true,
       "SERVING"},
      {"the message in pieces",
       http2_settings() + head + http2_data(grpc_message("\x08\x01").substr(0, 4)) +
           http2_data(grpc_message("\x08\x01").substr(4)) + fine,
       true, true, "SERVING"},
      {"an unknown service",
       http2_settings() +
           http2_head(
               {{":status", "200"}, {"grpc-status", "5"}, {"grpc-message", "unknown service"}},
               true),
       true, false, "grpc-status 5: unknown service"},
      {"an error behind the message",
       http2_settings() + head + http2_data(grpc_message("\x08\x01")) +
           http2_head({{"grpc-status", "14"}}, true),
       true, false, "grpc-status 14"},
      {"no grpc-status", http2_settings() + head + http2_data(grpc_message("\x08\x01"), true), true,
       false, "grpc-status missing"},
      {"no message", http2_settings() + head + fine, true, false, "a broken message"},
      {"a compressed message",
       http2_settings() + head + http2_data("\1" + grpc_message("\x08\x01").substr(1)) + fine, true,
       false, "a broken message"},
      {"a message that is cut",
       http2_settings() + head + http2_data(grpc_message("\x08\x01").substr(0, 6)) + fine, true,
       false, "a broken message"},
      {"two messages", answer("\x08\x01" + grpc_message("\x08\x01")).substr(0), true, false,
       "a broken message"},
      {"a group", answer("\x0b"), true, false, "a broken message"},
      {"a varint without end", answer("\x08" + std::string(20, '\xff')), true, false,
       "a broken message"},
      {"a field past the end", answer("\x12\x7f"), true, false, "a broken message"},
      {"a very long message", answer(std::string(9'000, '\0')), true, false, "a broken message"},
      {"an HTTP status", http2_settings() + http2_head({{":status", "404"}}, true), true, false,
       "HTTP status 404"},
      {"a reset stream", http2_settings() + http2_frame(3, 0, 1, std::string("\0\0\0\7", 4)), true,
       false, "the stream was reset: REFUSED_STREAM"},
      {"HTTP/1", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", true, false,
       "no HTTP/2 answer"},
      {"garbage", std::string(400, '\xaa'), true, false, "no HTTP/2 answer"},
      {"a head without end", http2_settings() + head, false, false, ""},
  };
  for (const Row& row : rows) {
    for (size_t piece : {row.answer.size(), size_t{1}}) {
      GrpcHealthCall call("a", "");
      call.to_send();
      for (size_t at = 0; at < row.answer.size() && !call.done(); at += piece) {
        call.take(std::string_view(row.answer).substr(at, piece));
        call.to_send();
      }
      EXPECT_EQ(call.done(), row.done) << row.what;
      EXPECT_EQ(call.serving(), row.serving) << row.what;
      EXPECT_EQ(call.detail(), row.detail) << row.what;
    }
  }
}

}  // namespace
}  // namespace lb
