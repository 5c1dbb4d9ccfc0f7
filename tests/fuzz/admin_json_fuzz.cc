// SPDX-License-Identifier: MIT
// Any bytes as the body of a call: JSON or a message, fields or the path of a wrong one, and what
// was read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "admin/answers.h"
#include "admin/json_fields.h"
#include "common/json.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lb;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto body = parse_json(bytes);
  if (!body) {
    require(!body.error().message.empty());
    return 0;
  }
  auto again = parse_json(to_text(*body));
  require(again && *again == *body);
  admin::JsonFields fields(*body);
  fields.require("name");
  auto name = fields.text("name", 16);
  auto weight = fields.whole_number("weight", 1, 1000);
  fields.boolean("backup");
  auto state = fields.word("state", {"ready", "drain"});
  if (auto error = fields.finish()) {
    require(!error->message.empty());
    require(parse_json(admin::failure(400, error->message, error->path).body).has_value());
    return 0;
  }
  require(name && !name->empty() && name->size() <= 16);
  require(!weight || (*weight >= 1 && *weight <= 1000));
  require(!state || *state == "ready" || *state == "drain");
  return 0;
}
