// SPDX-License-Identifier: MIT
// What a file says of the sandbox, and which files it names.
#include "config/named_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broken_files.h"
#include "config/loader.h"

namespace lb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// "KEY PATH", with what is done with it unless it is read.
std::vector<std::string> named_in(const std::string& yaml) {
  constexpr const char* words[] = {"", " append", " replace"};
  auto document = config::parse_yaml(yaml);
  std::vector<std::string> files;
  for (const NamedFile& file : config::named_files(document->root, "/d")) {
    files.push_back(file.key + " " + file.path + words[static_cast<size_t>(file.use)]);
  }
  return files;
}

TEST(NamedFiles, AreFoundWhereverTheyStand) {
  EXPECT_THAT(named_in(R"(
log: {output: /var/log/lb.log}
admin: {token_file: token, state_file: /var/lib/lb/state.json, tls: {certificate: a.pem, key: a.key}}
jwt: {shop: {jwks_file: keys/jwks.json}}
listeners:
  web:
    access_log: {output: /var/log/web.log}
    allow: [10.0.0.0/8, {file: allow.txt}]
    tls: {certificates: [{certificate: b.pem, key: b.key, ocsp: b.ocsp}], client_auth: {ca: c.pem}}
pools:
  app: {tls: {ca: d.pem}, health_check: {type: redis, password_file: pw}}
)"),
              ElementsAre("log.output /var/log/lb.log append", "admin.token_file /d/token",
                          "admin.state_file /var/lib/lb/state.json replace",
                          "admin.tls.certificate /d/a.pem", "admin.tls.key /d/a.key",
                          "jwt.shop.jwks_file /d/keys/jwks.json",
                          "listeners.web.access_log.output /var/log/web.log append",
                          "listeners.web.allow[1].file /d/allow.txt",
                          "listeners.web.tls.certificates[0].certificate /d/b.pem",
                          "listeners.web.tls.certificates[0].key /d/b.key",
                          "listeners.web.tls.certificates[0].ocsp /d/b.ocsp",
                          "listeners.web.tls.client_auth.ca /d/c.pem", "pools.app.tls.ca /d/d.pem",
                          "pools.app.health_check.password_file /d/pw"));
}

TEST(NamedFiles, OtherValuesAreNone) {
  EXPECT_THAT(named_in(R"(
runtime: {user: lb}
log: {output: stderr}
admin: {address: "127.0.0.1:9900", token: abcdefghijkl}
listeners:
  file: {routes: [{match: {header: {file: x}, query: {key: y}}, limits: {key: "header:X"}}]}
  web: {access_log: {output: stdout}}
pools:
  key: {health_check: {type: script, command: [/bin/true], user: me}}
)"),
              IsEmpty());
}

TEST(Sandbox, IsOnUnlessTheFileSaysOtherwise) {
  struct Row {
    const char* section;
    bool enabled;
    const char* user;
  };
  const Row rows[] = {{"", true, ""},
                      {"runtime: {sandbox: on}", true, ""},
                      {"runtime: {sandbox: off, user: off}", false, ""},
                      {"runtime: {user: root}", true, "root"}};
  for (const Row& row : rows) {
    auto loaded = load_config_text(config::with_section(row.section), "/");
    ASSERT_TRUE(loaded) << row.section;
    EXPECT_EQ(loaded->config.sandbox.enabled, row.enabled) << row.section;
    EXPECT_EQ(loaded->config.sandbox.user, row.user) << row.section;
  }
}

TEST(Sandbox, KnowsTheFilesOfTheFile) {
  auto loaded = load_config_text(config::with_section("log: {output: /var/log/lb.log}"), "/d");
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->config.sandbox.files,
              ElementsAre(NamedFile{"log.output", "/var/log/lb.log", FileUse::append}));
}

}  // namespace
}  // namespace lb
