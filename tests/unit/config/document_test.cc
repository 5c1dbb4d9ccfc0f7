// SPDX-License-Identifier: MIT
#include "config/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "config/loader.h"

namespace lb {
namespace {

using testing::HasSubstr;

constexpr const char* kFile = R"(
admin: {address: "127.0.0.1:9900", token: "${LB_TEST_TOKEN:-long-enough-token}"}
log: {level: info}
listeners:
  web: {address: ":${LB_TEST_PORT:-8080}", pool: app, deny: [10.0.0.0/8]}
pools:
  app:
    servers: [10.0.0.1:80, {name: b, address: 10.0.0.2:80, weight: 3}]
    health_check: {type: script, command: [/bin/true]}
  user: {servers: [10.0.0.3:80]}
)";

class DocumentTest : public testing::Test {
 protected:
  DocumentTest() : file_(load(kFile)) {}

  static ConfigDocument load(const std::string& text) {
    auto loaded = load_config_text(text, "/");
    if (!loaded) ADD_FAILURE() << loaded.error()[0].to_string("file");
    return loaded->document;
  }
  // What is sent back after `change`.
  std::string sent(const std::function<void(Json&)>& change) const {
    Json json = file_.shown();
    change(json);
    return to_text(json);
  }
  Result<LoadedConfig, SentConfigError> send(const std::string& text) const {
    return load_sent(text, file_, file_, "/", nullptr);
  }

  ConfigDocument file_;
};

TEST_F(DocumentTest, IsShownExpandedButForSecretsAndWhatOnlyTheFileMaySet) {
  EXPECT_EQ(to_text(file_.shown()),
            R"({"admin":{"address":"127.0.0.1:9900","token":"***"},"log":{"level":"info"},)"
            R"("listeners":{"web":{"address":":8080","pool":"app","deny":["10.0.0.0/8"]}},)"
            R"("pools":{"app":{"servers":["10.0.0.1:80",{"name":"b","address":"10.0.0.2:80",)"
            R"("weight":3}],"health_check":{"type":"script","command":["/bin/true"]}},)"
            R"("user":{"servers":["10.0.0.3:80"]}}})");
}

TEST_F(DocumentTest, WhatIsShownCanBeSentBack) {
  auto loaded = send(to_text(file_.shown()));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.admin->token, "long-enough-token");
  EXPECT_EQ(loaded->document.fingerprint(), file_.fingerprint());
  EXPECT_EQ(loaded->config.pools.at("app").servers[1].weight, 3U);
}

TEST_F(DocumentTest, WhatIsStoredHoldsNothingThatOnlyTheFileMaySetAndMakesTheSame) {
  std::string stored = file_.to_store();
  EXPECT_THAT(stored, Not(HasSubstr("long-enough-token")));
  EXPECT_THAT(stored, Not(HasSubstr("/bin/true")));
  auto loaded = send(stored);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->document.fingerprint(), file_.fingerprint());
}

TEST_F(DocumentTest, OtherThingsMayChange) {
  auto loaded = send(sent([](Json& json) {
    json["pools"]["app"]["balance"] = "random";
    json["pools"]["app"]["servers"].push_back("10.0.0.9:80");
    json["listeners"]["more"] = {{"address", ":8081"}, {"pool", "user"}};
    json["log"]["level"] = "debug";
  }));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.pools.at("app").balance, Balance::random);
  EXPECT_EQ(loaded->config.listeners.size(), 2U);
}

TEST_F(DocumentTest, APoolMayGoWithItsCommand) {
  auto loaded = send(sent([](Json& json) {
    json["listeners"]["web"]["pool"] = "user";
    json["pools"].erase("app");
  }));
  EXPECT_TRUE(loaded);
}

TEST_F(DocumentTest, WhatOnlyTheFileMaySetIsRefusedWithItsPath) {
  struct Case {
    const char* path;
    std::function<void(Json&)> change;
  };
  const Case cases[] = {
      {"admin.address", [](Json& json) { json["admin"]["address"] = "127.0.0.1:9901"; }},
      {"admin.token", [](Json& json) { json["admin"]["token"] = "another-long-token"; }},
      {"admin.hosts", [](Json& json) { json["admin"]["hosts"] = {"a.example"}; }},
      {"admin.state_file", [](Json& json) { json["admin"]["state_file"] = "/tmp/x"; }},
      {"admin.token", [](Json& json) { json["admin"].erase("token"); }},
      {"admin", [](Json& json) { json.erase("admin"); }},
      {"log.output", [](Json& json) { json["log"]["output"] = "/etc/passwd"; }},
      {"runtime.user", [](Json& json) { json["runtime"]["user"] = "root"; }},
      {"pools.app.health_check.command[0]",
       [](Json& json) { json["pools"]["app"]["health_check"]["command"][0] = "/bin/sh"; }},
      {"pools.app.health_check.command[1]",
       [](Json& json) { json["pools"]["app"]["health_check"]["command"].push_back("-c"); }},
      {"pools.app.health_check.command",
       [](Json& json) {
         json["pools"]["app"]["health_check"] = {{"type", "tcp"}};
       }},
      {"pools.user.health_check.command",
       [](Json& json) {
         json["pools"]["user"]["health_check"] = {{"type", "script"}, {"command", {"/bin/true"}}};
       }},
      {"pools.user.health_check.ca",
       [](Json& json) {
         json["pools"]["user"]["health_check"] = {{"type", "tls"}, {"ca", "/etc/ca.pem"}};
       }},
      {"listeners.web.deny[1].file",
       [](Json& json) {
         json["listeners"]["web"]["deny"].push_back({{"file", "/etc/passwd"}});
       }},
      {"pools.new.health_check.password_file",
       [](Json& json) {
         json["pools"]["new"] = {
             {"servers", {"10.0.0.1:1"}},
             {"health_check", {{"type", "redis"}, {"password_file", "/etc/shadow"}}}};
       }},
  };
  for (const Case& one : cases) {
    auto loaded = send(sent(one.change));
    ASSERT_FALSE(loaded) << one.path;
    EXPECT_TRUE(loaded.error().forbidden) << one.path;
    EXPECT_EQ(loaded.error().path, one.path);
  }
}

TEST_F(DocumentTest, VariablesOfTheFileMayStandAsInTheFileAndAreExpandedThereAlone) {
  auto loaded = send(sent([](Json& json) {
    json["admin"]["token"] = "${LB_TEST_TOKEN:-long-enough-token}";
    json["pools"]["app"]["servers"][1]["name"] = "b";
  }));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.admin->token, "long-enough-token");
  loaded = send(sent([](Json& json) { json["listeners"]["web"]["address"] = ":${PORT:-80}"; }));
  ASSERT_FALSE(loaded);
  EXPECT_FALSE(loaded.error().forbidden);
  EXPECT_EQ(loaded.error().problems.at(0).path, "listeners.web.address");
}

TEST_F(DocumentTest, ProblemsAreToldWithTheirPlaces) {
  auto loaded = send(
      "admin: '***'\nlisteners: {web: {address: ':80', pool: app}}\npools:\n  app: {servrs: []}\n");
  ASSERT_FALSE(loaded);
  ASSERT_FALSE(loaded.error().problems.empty());
  EXPECT_EQ(loaded.error().problems[0].path, "pools.app.servrs");
  for (const char* text : {"", "a: b", "[]", "1"}) {
    EXPECT_FALSE(send(text).error().forbidden) << text;
  }
  loaded = send(
      "admin: '***'\nlisteners: {web: {address: ':80', pool: p}}\npools:\n  p: {servrs: []}\n");
  ASSERT_FALSE(loaded);
  ASSERT_FALSE(loaded.error().problems.empty());
  EXPECT_EQ(loaded.error().problems[0].line, 4);
  EXPECT_EQ(loaded.error().problems[0].path, "pools.p.servrs");
  loaded = send("{\n\t\"admin\": \"***\",\n\t\"listeners\": [\n");
  ASSERT_FALSE(loaded);
  EXPECT_FALSE(loaded.error().problems.empty());
}

TEST_F(DocumentTest, StarsWhereThereIsNoSecretAreNoValue) {
  auto loaded = send(sent([](Json& json) { json["pools"]["app"]["balance"] = "***"; }));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().problems.at(0).path, "pools.app.balance");
}

}  // namespace
}  // namespace lb
