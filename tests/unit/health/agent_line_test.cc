// SPDX-License-Identifier: MIT
#include "health/agent_line.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

TEST(AgentLines, SayWhatTheirWordsSay) {
  struct Row {
    std::string line;
    bool up;
    AgentWish wish;
    std::string reason = {};
  };
  const Row rows[] = {
      {"up", true, {}},
      {"UP", true, {}},
      {"75%", true, {.weight_percent = 75}},
      {"0%", true, {.weight_percent = 0}},
      {"150%", true, {.weight_percent = 150}},
      {"up 75%", true, {.weight_percent = 75}},
      {"up,75%", true, {.weight_percent = 75}},
      {"\t ready, up\t50% ", true, {.state = AdminState::ready, .weight_percent = 50}},
      {"drain", true, {.state = AdminState::drain}},
      {"maint", true, {.state = AdminState::maintenance}},
      {"Maint down", false, {.state = AdminState::maintenance}},
      {"maxconn:30", true, {.max_connections = 30}},
      {"down", false, {}},
      {"down#disk full", false, {}, "disk full"},
      {"fail # \x1b[31mred\n", false, {}, ".[31mred"},
      {"stopped", false, {}},
      {"failed", false, {}},
      {"drain ready", true, {.state = AdminState::ready}},
  };
  for (const Row& row : rows) {
    auto line = parse_agent_line(row.line);
    ASSERT_TRUE(line) << row.line << ": " << line.error().message;
    EXPECT_EQ(line->up, row.up) << row.line;
    EXPECT_EQ(line->wish, row.wish) << row.line;
    EXPECT_EQ(line->reason, row.reason) << row.line;
  }
}

TEST(AgentLines, AreRefusedWhereAWordMeansNothing) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "the agent said nothing"},
      {" ,\t", "the agent said nothing"},
      {"# up", "the agent said nothing"},
      {"hello", "the agent said 'hello', which means nothing"},
      {"up hello", "the agent said 'hello', which means nothing"},
      {"%", "the agent said '%', which means nothing"},
      {"-5%", "the agent said '-5%', which means nothing"},
      {"1001%", "the agent said '1001%', which means nothing"},
      {"7.5%", "the agent said '7.5%', which means nothing"},
      {"maxconn:", "the agent said 'maxconn:', which means nothing"},
      {"maxconn:99999999999", "the agent said 'maxconn:99999999999', which means nothing"},
      {"\x1b[2J\xff", "the agent said '.[2j.', which means nothing"},
      {"HTTP/1.1 400 Bad Request", "the agent said 'http/1.1', which means nothing"},
  };
  for (const auto& [line, why] : rows) {
    auto read = parse_agent_line(line);
    ASSERT_FALSE(read) << line;
    EXPECT_EQ(read.error().message, why);
  }
}

}  // namespace
}  // namespace lb
