// SPDX-License-Identifier: MIT
// Health checks that run scripts or log in to databases, as they should be written.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "broken_files.h"
#include "config/loader.h"

namespace lb::config {
namespace {

HealthCheckConfig loaded(const std::string& check, const std::filesystem::path& directory = "/") {
  auto result = load_config_text(with_pool("health_check: {" + check + "}"), directory);
  if (result) return result->config.pools.at("db").health_check;
  ADD_FAILURE() << result.error().front().to_string("lb.yaml") << " in " << check;
  return {};
}

TEST(GoodLogins, AScriptHasACommand) {
  auto check = loaded("type: script, command: [/bin/sh, -c, 'exit 0', '']");
  EXPECT_EQ(check.type, CheckType::script);
  EXPECT_EQ(check.command, (std::vector<std::string>{"/bin/sh", "-c", "exit 0", ""}));
  EXPECT_EQ(loaded("type: script, command: /etc/lb/check.sh").command,
            (std::vector<std::string>{"/etc/lb/check.sh"}));
}

TEST(GoodLogins, RedisNeedsNothing) {
  auto check = loaded("type: redis");
  EXPECT_EQ(check.type, CheckType::redis);
  EXPECT_EQ(check.user, "");
  EXPECT_EQ(check.password, "");
  EXPECT_FALSE(check.role);
}

TEST(GoodLogins, DatabasesHaveARoleAndAMostLag) {
  auto check = loaded("type: postgres, user: app, role: replica, max_lag: 10s");
  EXPECT_EQ(check.type, CheckType::postgres);
  EXPECT_EQ(check.user, "app");
  EXPECT_EQ(check.role, DatabaseRole::replica);
  EXPECT_EQ(check.max_lag, std::chrono::seconds(10));
  EXPECT_EQ(loaded("type: mysql, user: app, role: primary").role, DatabaseRole::primary);
}

TEST(GoodLogins, APasswordIsAllOfItsFileButALastNewline) {
  char name[] = "/tmp/lb-password-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  std::filesystem::path directory = name;
  std::ofstream(directory / "password") << "two words\n\n";
  auto check = loaded(
      "type: redis, user: app, password_file: password, database: '3', role: replica", directory);
  EXPECT_EQ(check.user, "app");
  EXPECT_EQ(check.password, "two words\n");
  EXPECT_EQ(check.database, "3");
  EXPECT_EQ(check.role, DatabaseRole::replica);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace lb::config
