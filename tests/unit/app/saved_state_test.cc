// SPDX-License-Identifier: MIT
#include "app/saved_state.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

ServerConfig server(const std::string& name, const std::string& host = "") {
  ServerConfig made;
  made.name = name;
  made.host = host;
  made.address = *Address::parse(host.empty() ? "10.0.0.9:80" : "0.0.0.0:80");
  made.weight = 7;
  made.max_connections = 12;
  made.backup = true;
  return made;
}

SavedState everything() {
  SavedState state;
  state.overlay.added[{"web", "c"}] = {server("c"), "/up", milliseconds(500)};
  state.overlay.added[{"web", "d"}] = {server("d", "d.example")};
  state.overlay.removed[{"web", "a"}] = server("a");
  state.overlay.weights[{"web", "b"}] = {3, 1};
  state.overlay.states[{"web", "b"}] = AdminState::drain;
  state.overlay.states[{"web", "c"}] = AdminState::maintenance;
  state.overlay.algorithms["web"] = {Balance::random, Balance::round_robin};
  state.cookie_key = std::string("\0\xff key", 6);
  state.replacement = {"{\"pools\": 1}", 0xfedcba9876543210};
  return state;
}

TEST(SavedState, ComesBackAsItWas) {
  auto read = parse_state(to_text(everything()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(*read == everything());
  read = parse_state(to_text(SavedState{}));
  ASSERT_TRUE(read);
  EXPECT_TRUE(*read == SavedState{});
}

TEST(SavedState, WhatIsCutOffIsRefused) {
  std::string text = to_text(everything());
  for (size_t size = 0; size + 2 < text.size(); ++size) {
    EXPECT_FALSE(parse_state(std::string_view(text).substr(0, size))) << size;
  }
}

TEST(SavedState, WhatIsWrittenByNobodyIsRefused) {
  for (
      const char* text :
      {"", "null", "[]", "{}", R"({"version": 2, "overlay": {}})", R"({"version": "1"})",
       R"({"version": 1, "overlay": []})",
       R"({"version":1,"overlay":{"added":[],"removed":[],"weights":[{"pool":1}],"states":[],"algorithms":[]}})",
       R"({"version":1,"overlay":{"added":[],"removed":[],"weights":[],"states":[{"pool":"a","server":"b","value":"ready?"}],"algorithms":[]}})",
       R"({"version":1,"overlay":{"added":[],"removed":[],"weights":[],"states":[],"algorithms":[{"pool":"a","value":"best","inFile":"hash"}]}})"}) {
    EXPECT_FALSE(parse_state(text)) << text;
  }
}

}  // namespace
}  // namespace lb
