// SPDX-License-Identifier: MIT
#include <string>

#include "api_rig.h"

namespace lb::admin {
namespace {

TEST_F(ApiTest, WhoSticksWhereIsListed) {
  Json all = ask("GET", "/api/sessions?limit=2").body["data"];
  EXPECT_EQ(all["total"], 3);
  ASSERT_EQ(all["entries"].size(), 2u);
  EXPECT_EQ(all["entries"][1],
            Json::parse(R"({"pool": "web", "key": "000000000000abcd", "server": "a", )"
                        R"("lastUsed": "1970-01-01T00:00:01.000Z", )"
                        R"("expires": "1970-01-01T00:00:02.000Z"})"));
  EXPECT_EQ(ask("GET", "/api/sessions?pool=none").status, 404);
  for (const char* wrong : {"0", "1001", "-1", "x", ""}) {
    EXPECT_EQ(ask("GET", std::string("/api/sessions?limit=") + wrong).body["path"], "limit");
  }
}

}  // namespace
}  // namespace lb::admin
