// SPDX-License-Identifier: MIT
#include "admin/json_fields.h"

#include <gtest/gtest.h>

namespace lb::admin {
namespace {

// What a body of {name, weight, backup, state} is told.
std::string told(const std::string& text) {
  Json body = *parse_json(text);
  JsonFields fields(body);
  fields.require("name");
  fields.text("name", 8);
  fields.whole_number("weight", 1, 1000);
  fields.boolean("backup");
  fields.word("state", {"ready", "drain"});
  auto error = fields.finish();
  return error ? error->path + ": " + error->message : "";
}

TEST(JsonFields, EveryMistakeIsToldWithItsPath) {
  struct Row {
    std::string body;
    std::string told;
  };
  const Row rows[] = {
      {R"({"name": "a", "weight": 1000, "backup": true, "state": "drain"})", ""},
      {R"([])", ": must be a JSON object, not a list"},
      {R"(7)", ": must be a JSON object, not a number"},
      {R"({})", "name: is missing"},
      {R"({"name": ""})", "name: must be a text of 1 to 8 bytes"},
      {R"({"name": "123456789"})", "name: must be a text of 1 to 8 bytes"},
      {R"({"name": null})", "name: must be a text, not null"},
      {R"({"name": {}})", "name: must be a text, not an object"},
      {R"({"name": "a", "weight": 0})", "weight: must be a whole number from 1 to 1000"},
      {R"({"name": "a", "weight": 1001})", "weight: must be a whole number from 1 to 1000"},
      {R"({"name": "a", "weight": -1})", "weight: must be a whole number from 1 to 1000"},
      {R"({"name": "a", "weight": 1.5})", "weight: must be a whole number from 1 to 1000"},
      {R"({"name": "a", "weight": 18446744073709551615})",
       "weight: must be a whole number from 1 to 1000"},
      {R"({"name": "a", "weight": "1"})",
       "weight: must be a whole number from 1 to 1000, not a text"},
      {R"({"name": "a", "backup": 1})", "backup: must be true or false, not a number"},
      {R"({"name": "a", "state": "Drain"})", "state: must be one of ready, drain"},
      {R"({"name": "a", "state": true})", "state: must be one of ready, drain"},
      {R"({"nam": "a"})", "nam: unknown field; did you mean 'name'?"},
      {R"({"name": "a", "zzzzzzzzzz": 1})",
       "zzzzzzzzzz: unknown field; the fields here are name, weight, backup, state"},
  };
  for (const Row& row : rows) EXPECT_EQ(told(row.body), row.told) << row.body;
}

}  // namespace
}  // namespace lb::admin
