// SPDX-License-Identifier: MIT
#include "admin/access.h"

#include <gtest/gtest.h>

namespace lb::admin {
namespace {

constexpr const char* kToken = "correct-horse-battery";

AdminConfig config(const std::string& address, const std::string& token = kToken) {
  AdminConfig admin;
  admin.address = *Address::parse(address);
  admin.token = token;
  admin.hosts = {"LB.example"};
  return admin;
}

HttpRequest request(std::vector<HttpField> fields) {
  HttpRequest made;
  made.fields = std::move(fields);
  return made;
}

int status(const std::optional<HttpResponse>& refusal) {
  return refusal ? refusal->status : 200;
}

TEST(Access, OnlyTheAdminsOwnPagesMayAsk) {
  struct Row {
    std::vector<HttpField> fields;
    int status;
  };
  const Row rows[] = {
      {{{"Host", "localhost"}}, 200},
      {{{"Host", "LocalHost:9900"}}, 200},
      {{{"Host", "127.0.0.1"}}, 200},
      {{{"Host", "127.0.0.1:9900"}}, 200},
      {{{"Host", "[::1]"}}, 200},
      {{{"Host", "[::1]:9900"}}, 200},
      {{{"Host", "lb.example:9900"}}, 200},
      {{{"Host", "lb.example."}}, 200},
      {{{"Host", "evil.example"}}, 403},
      {{{"Host", "localhost.evil.example"}}, 403},
      {{{"Host", "127.0.0.1.evil.example"}}, 403},
      {{{"Host", "::1"}}, 403},
      {{{"Host", "[evil]"}}, 403},
      {{{"Host", "[127.0.0.1]"}}, 403},
      {{{"Host", ""}}, 403},
      {{{"Host", ":80"}}, 403},
      {{{"Host", "127.0.0.1:9900@evil"}}, 403},
      {{{"Host", "localhost:abc"}}, 403},
      {{{"Host", "localhost:"}}, 403},
      {{{"Host", "localhost:123456"}}, 403},
      {{{"Host", "localhost:1:2"}}, 403},
      {{{"Host", "[::1]evil:80"}}, 403},
      {{{"Host", "[::1"}}, 403},
      {{}, 403},
      {{{"Host", "127.0.0.1:9900"}, {"Origin", "http://127.0.0.1:9900"}}, 200},
      {{{"Host", "lb.example"}, {"Origin", "https://LB.example"}}, 200},
      {{{"Host", "lb.example:443"}, {"Origin", "https://lb.example"}}, 200},
      {{{"Host", "lb.example"}, {"Origin", "http://lb.example:80"}}, 200},
      {{{"Host", "127.0.0.1:9900"}, {"Origin", "http://127.0.0.1"}}, 403},
      {{{"Host", "127.0.0.1:9900"}, {"Origin", "http://127.0.0.1:9901"}}, 403},
      {{{"Host", "127.0.0.1:9900"}, {"Origin", "http://evil.example"}}, 403},
      {{{"Host", "127.0.0.1:9900"}, {"Origin", "null"}}, 403},
      {{{"Host", "127.0.0.1:9900"}, {"Origin", ""}}, 403},
      {{{"Host", "localhost"}, {"origin", "http://localhost"}, {"Origin", "http://evil"}}, 403},
      {{{"Host", "localhost"}, {"Sec-Fetch-Site", "same-origin"}}, 200},
      {{{"Host", "localhost"}, {"Sec-Fetch-Site", "none"}}, 200},
      {{{"Host", "localhost"}, {"sec-fetch-site", "Cross-Site"}}, 403},
  };
  for (const char* address : {"127.0.0.1:9900", "unix:/run/admin.sock"}) {
    Access access(config(address));
    for (const Row& row : rows) {
      SCOPED_TRACE(testing::PrintToString(row.fields));
      EXPECT_EQ(status(access.check_origin(request(row.fields))), row.status);
    }
  }
}

TEST(Access, DependsOnAddressAndToken) {
  struct Row {
    std::string address;
    std::string token;
    std::string authorization;
    int read;
    int change;
  };
  const std::string right = std::string("Bearer ") + kToken;
  const Row rows[] = {
      {"unix:/run/a.sock", "", "", 200, 200},
      {"unix:/run/a.sock", kToken, "", 200, 200},
      {"127.0.0.1:9900", "", "", 200, 403},
      {"127.0.0.1:9900", "", "Bearer ", 200, 403},
      {"127.0.0.1:9900", kToken, "", 200, 401},
      {"127.0.0.1:9900", kToken, right, 200, 200},
      {"[::1]:9900", kToken, right, 200, 200},
      {"127.0.0.1:9900", kToken, std::string("bearer  ") + kToken, 200, 200},
      {"127.0.0.1:9900", kToken, right + "x", 200, 401},
      {"127.0.0.1:9900", kToken, right.substr(0, right.size() - 1), 200, 401},
      {"127.0.0.1:9900", kToken, "Basic " + std::string(kToken), 200, 401},
      {"127.0.0.1:9900", kToken, kToken, 200, 401},
      {"127.0.0.1:9900", kToken, "Bearer", 200, 401},
      {"10.0.0.1:9900", kToken, "", 401, 401},
      {"10.0.0.1:9900", kToken, "Bearer wrong-horse-battery", 401, 401},
      {"10.0.0.1:9900", kToken, right, 200, 200},
      {"0.0.0.0:9900", kToken, "", 401, 401},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.address + " " + row.authorization);
    Access access(config(row.address, row.token));
    std::vector<HttpField> fields = {{"Host", "localhost"}};
    if (!row.authorization.empty()) fields.emplace_back("Authorization", row.authorization);
    EXPECT_EQ(status(access.check_read(request(fields))), row.read);
    EXPECT_EQ(status(access.check_change(request(fields))), row.change);
  }
}

TEST(Access, AMissingTokenIsAskedFor) {
  Access access(config("127.0.0.1:9900"));
  auto refusal = access.check_change(request({}));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(*find_field(refusal->fields, "WWW-Authenticate"), "Bearer");
}

TEST(Access, TwoAuthorizationFieldsAreNone) {
  Access access(config("127.0.0.1:9900"));
  std::string right = std::string("Bearer ") + kToken;
  EXPECT_EQ(
      status(access.check_change(request({{"Authorization", right}, {"authorization", right}}))),
      401);
}

TEST(Access, SecretsCompareByAllTheirBytes) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "xbc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcabc"));
  EXPECT_FALSE(equal_in_constant_time("abcabc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", ""));
  EXPECT_FALSE(equal_in_constant_time("", "a"));
}

}  // namespace
}  // namespace lb::admin
