// SPDX-License-Identifier: MIT
#include "net/resp.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lb {
namespace {

using State = RespParse::State;
using Kind = RespValue::Kind;

TEST(Resp, ReadsEveryKindOfReply) {
  struct Row {
    std::string bytes;
    RespValue value;
  };
  const RespValue one{.kind = Kind::number, .text = "1"};
  const RespValue a{.kind = Kind::text, .text = "a"};
  const Row rows[] = {
      {"+PONG\r\n", {.kind = Kind::text, .text = "PONG"}},
      {"+\r\n", {.kind = Kind::text}},
      {"-ERR no\r\n", {.kind = Kind::error, .text = "ERR no"}},
      {":-12\r\n", {.kind = Kind::number, .text = "-12"}},
      {"$1\r\na\r\n", a},
      {"$0\r\n\r\n", {.kind = Kind::text}},
      {"$2\r\n\r\n\r\n", {.kind = Kind::text, .text = "\r\n"}},
      {"$-1\r\n", {}},
      {"*-1\r\n", {}},
      {"*0\r\n", {.kind = Kind::array}},
      {"*2\r\n$1\r\na\r\n:1\r\n", {.kind = Kind::array, .items = {a, one}}},
      {"*2\r\n*1\r\n$1\r\na\r\n$-1\r\n",
       {.kind = Kind::array, .items = {{.kind = Kind::array, .items = {a}}, {}}}},
  };
  for (const Row& row : rows) {
    for (const char* more : {"", "+next\r\n"}) {
      RespParse parse = parse_resp(row.bytes + more);
      EXPECT_EQ(parse.state, State::complete) << row.bytes;
      EXPECT_EQ(parse.length, row.bytes.size()) << row.bytes;
      EXPECT_EQ(parse.value, row.value) << row.bytes;
    }
    for (size_t size = 0; size < row.bytes.size(); ++size) {
      EXPECT_EQ(parse_resp(row.bytes.substr(0, size)).state, State::incomplete) << row.bytes;
    }
  }
}

TEST(Resp, RefusesWhatIsNoReply) {
  const std::string deep = "*1\r\n*1\r\n*1\r\n*1\r\n";
  EXPECT_EQ(parse_resp(deep).state, State::incomplete);
  const std::string rows[] = {
      "\r\n",
      "PONG\r\n",
      "HTTP/1.1 400 Bad Request\r\n",
      "!5\r\nerror\r\n",
      ":\r\n",
      ":1x\r\n",
      ":99999999999999999999\r\n",
      "$x\r\n",
      "$-2\r\n",
      "$40000\r\n",
      "$1\r\nabc",
      "*-2\r\n",
      "*1000000000\r\n",
      "*1\r\nx\r\n",
      deep + "*1\r\n",
      std::string(kMaxRespReply, '+'),
      "$32000\r\n" + std::string(kMaxRespReply, 'x'),
      "*3\r\n$32000\r\n" + std::string(32'000, 'x') + "\r\n$700\r\n" + std::string(710, 'x'),
  };
  for (const std::string& bytes : rows) {
    EXPECT_EQ(parse_resp(bytes).state, State::invalid) << bytes.substr(0, 60);
  }
}

TEST(Resp, WritesCommands) {
  EXPECT_EQ(resp_command({"PING"}), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(resp_command({"AUTH", "", "a\r\nb"}), "*3\r\n$4\r\nAUTH\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
}

}  // namespace
}  // namespace lb
