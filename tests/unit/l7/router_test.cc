// SPDX-License-Identifier: MIT
#include "l7/router.h"

#include <gtest/gtest.h>

#include <string>

#include "l7/route_actions.h"

namespace lb {
namespace {

HttpRoute route(HttpMatch match) {
  HttpRoute result;
  result.match = std::move(match);
  return result;
}

HttpMatch at(const std::string& host, const std::string& path, bool prefix = false) {
  HttpMatch match;
  bool wildcard = host.starts_with('.');
  if (!host.empty()) match.hosts.push_back({host, wildcard});
  if (!path.empty()) match.paths.push_back({path, prefix});
  return match;
}

RequestHead request(const char* host, const char* path, const char* query = "") {
  RequestHead head;
  head.method = Method::get;
  head.method_name = "GET";
  head.authority = host;
  head.path = path;
  head.query = query;
  return head;
}

const Address kClient = *Address::parse("10.1.2.3:4000");

TEST(Router, FindsAmongAnyNumberOfPrefixesOfOnePath) {
  std::vector<HttpRoute> routes;
  std::string path = "/";
  for (int i = 0; i < 100; ++i) {
    routes.push_back(route(at("", path += 'a', true)));
    routes.back().match.methods = {"PUT"};
  }
  routes[90].match.methods.clear();
  Router router(std::move(routes));
  EXPECT_EQ(router.find(request("h", path.c_str()), kClient), 90u);
  EXPECT_EQ(router.find(request("h", path.substr(0, 50).c_str()), kClient), std::nullopt);
}

TEST(Router, TheFirstRouteThatFitsWins) {
  Router router({route(at("a.example", "/x")), route(at("", "/p/", true)),
                 route(at(".b.example", "")), route(at("a.example", "/x/", true)),
                 route(at("", "/p/q", false)), route(at("a.example", ""))});
  struct Row {
    const char* host;
    const char* path;
    int found;  // -1: none
  };
  const Row rows[] = {
      {"a.example", "/x", 0},       {"A.Example:8080", "/x", 0}, {"a.example.", "/x", 0},
      {"a.example", "/p/q", 1},     {"c.example", "/p/", 1},     {"c.example", "/p", -1},
      {"x.b.example", "/", 2},      {"y.x.b.example", "/", 2},   {"b.example", "/", -1},
      {"xb.example", "/", -1},      {"a.example", "/x/y", 3},    {"a.example", "/X", 5},
      {"a.example", "/", 5},        {"[::1]:80", "/", -1},       {"", "/p/x", 1},
      {"x.b.example", "/p/zzz", 1}, {"a.example:", "/x", 0},
  };
  for (const Row& row : rows) {
    auto found = router.find(request(row.host, row.path), kClient);
    EXPECT_EQ(found ? static_cast<int>(*found) : -1, row.found) << row.host << row.path;
  }
}

TEST(Router, EveryConditionMustHold) {
  HttpMatch match;
  match.methods = {"GET", "PUT"};
  match.headers = {{"X-A", "1"}, {"X-B", "*"}};
  match.queries = {{"v", "2"}, {"w", "*"}};
  match.source = CidrSet({*Cidr::parse("10.0.0.0/8")});
  Router router({route(match)});
  RequestHead head = request("a", "/", "?x&v=2&w=");
  head.fields = {{"x-a", "1", FieldId::other}, {"X-B", "any", FieldId::other}};
  EXPECT_TRUE(router.find(head, kClient));
  EXPECT_FALSE(router.find(head, *Address::parse("11.1.2.3:1")));

  RequestHead other = head;
  other.method = Method::head;
  other.method_name = "HEAD";
  EXPECT_TRUE(router.find(other, kClient)) << "GET matches HEAD too";
  other.method_name = "POST";
  other.method = Method::post;
  EXPECT_FALSE(router.find(other, kClient));
  other = head;
  other.fields[0].value = "2";
  EXPECT_FALSE(router.find(other, kClient));
  other = head;
  other.fields.pop_back();
  EXPECT_FALSE(router.find(other, kClient));
  for (const char* query : {"", "?v=2", "?v=3&w", "?vv=2&w=1", "?w=1&v"}) {
    other = head;
    other.query = query;
    EXPECT_FALSE(router.find(other, kClient)) << query;
  }
}

TEST(Router, AProtocolToChangeToIsNamedWithoutCase) {
  HttpMatch match;
  match.headers = {{"Upgrade", "websocket"}};
  Router router({route(match)});
  RequestHead head = request("a", "/");
  for (auto [protocol, fits] : {std::pair("websocket", true), std::pair("WebSocket", true),
                                std::pair("other", false), std::pair("", false)}) {
    head.upgrade = protocol;
    EXPECT_EQ(router.find(head, kClient).has_value(), fits) << protocol;
  }
}

TEST(Router, AThousandRoutesFindEachTheirOwn) {
  std::vector<HttpRoute> routes;
  for (int i = 0; i < 1000; ++i) {
    std::string n = std::to_string(i);
    switch (i % 3) {
      case 0:
        routes.push_back(route(at("h" + n + ".example", "")));
        break;
      case 1:
        routes.push_back(route(at("", "/p" + n + "/", true)));
        break;
      default:
        routes.push_back(route(at(".w" + n + ".example", "/e" + n)));
    }
  }
  Router router(std::move(routes));
  for (size_t i = 0; i < 1000; ++i) {
    std::string n = std::to_string(i);
    std::string host = i % 3 == 0 ? "h" + n + ".example" : "x.w" + n + ".example";
    std::string path = i % 3 == 1 ? "/p" + n + "/x" : "/e" + n;
    EXPECT_EQ(router.find(request(host.c_str(), path.c_str()), kClient), i);
  }
}

TEST(RouteActions, APathIsRewrittenByWholeSegments) {
  struct Row {
    const char* path;
    HttpRewrite rules;
    const char* result;
  };
  const Row rows[] = {
      {"/api/x", {"/api", "", ""}, "/x"},       {"/api", {"/api", "", ""}, "/"},
      {"/apis/x", {"/api", "", ""}, "/apis/x"}, {"/api/x", {"/api/", "", ""}, "/x"},
      {"/x", {"", "/v2", ""}, "/v2/x"},         {"/x", {"", "/v2/", ""}, "/v2/x"},
      {"/api/x", {"/api", "/v2", ""}, "/v2/x"}, {"/api", {"/api", "/v2", ""}, "/v2/"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(rewritten_path(row.path, row.rules), row.result) << row.path;
}

TEST(RouteActions, ARedirectsTargetIsFilledIn) {
  RequestHead head = request("a.example:8080", "/x", "?y=z");
  EXPECT_EQ(expand("https://{host}{uri}", head, false), "https://a.example/x?y=z");
  EXPECT_EQ(expand("{scheme}://b:{port}{path}#{query}", head, true), "https://b:8080/x#y=z");
  head = request("[::1]", "/");
  EXPECT_EQ(expand("//{host}:{port}{uri}", head, false), "//[::1]:80/");
  head = request("a.example:", "/");
  EXPECT_EQ(expand("//{host}:{port}{uri}", head, false), "//a.example:80/");
}

TEST(RouteActions, ASplitKeepsAClientOnOneSideAndTheShares) {
  HttpRoute split;
  split.pools = {{"a", 90}, {"b", 10}};
  int second = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string text = "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1:1";
    Address client = *Address::parse(text);
    size_t share = choose_share(split, client);
    client.set_port(2);
    EXPECT_EQ(choose_share(split, client), share);
    second += share == 1 ? 1 : 0;
  }
  EXPECT_NEAR(second, 1000, 150);
}

TEST(RouteActions, HeaderRulesRemoveSetAndAdd) {
  std::vector<Field> fields = {
      {"A", "1", FieldId::other}, {"b", "2", FieldId::other}, {"C", "3", FieldId::other}};
  const HeaderRules rules{{{"B", "x"}, {"D", "4"}}, {{"C", "5"}}, {"a"}};
  apply_header_rules(rules, fields);
  std::string result;
  for (const Field& field : fields) result += std::string(field.name) + std::string(field.value);
  EXPECT_EQ(result, "C3BxD4C5");
}

}  // namespace
}  // namespace lb
