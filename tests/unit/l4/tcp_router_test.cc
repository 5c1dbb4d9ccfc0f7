// SPDX-License-Identifier: MIT
#include "l4/tcp_router.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace lb {
namespace {

CidrSet networks(const char* text) {
  return CidrSet({*Cidr::parse(text)});
}

std::shared_ptr<ListenerConfig> listener() {
  auto config = std::make_shared<ListenerConfig>();
  auto add = [&](std::vector<std::string> names, const char* source, const char* pool) {
    RouteConfig route;
    route.match.sni = std::move(names);
    if (source != nullptr) route.match.source = networks(source);
    route.shares = {{pool, 1}};
    config->routes.push_back(std::move(route));
  };
  add({"db.example.com"}, "10.9.0.0/16", "inner");
  add({"db.example.com", "db2.example.com"}, nullptr, "db");
  add({"*.example.com"}, nullptr, "any");
  add({"late.example.com"}, nullptr, "never");
  add({}, "10.0.0.0/8", "ours");
  return config;
}

TEST(TcpRouter, LeadsToTheFirstThatFits) {
  struct Row {
    const char* name;
    const char* client;
    const char* pool;  // "" = no route
  };
  TcpRouter router(listener());
  for (const Row& row :
       {Row{"db.example.com", "192.0.2.1", "db"}, Row{"db.example.com", "10.9.1.1", "inner"},
        Row{"db2.example.com", "10.9.1.1", "db"}, Row{"x.example.com", "10.1.1.1", "any"},
        Row{"a.b.example.com", "192.0.2.1", "any"}, Row{"late.example.com", "192.0.2.1", "any"},
        Row{"example.com", "192.0.2.1", ""}, Row{"example.com", "10.1.1.1", "ours"},
        Row{".example.com", "192.0.2.1", ""}, Row{"", "192.0.2.1", ""}, Row{"", "10.1.1.1", "ours"},
        Row{"example.org", "192.0.2.1", ""}}) {
    const std::string* pool = router.find(row.name, *Address::parse_ip(row.client, 1), 7);
    EXPECT_STREQ(pool == nullptr ? "" : pool->c_str(), row.pool) << row.name << " " << row.client;
  }
}

TEST(TcpRouter, ASplitKeepsItsSharesAndAClientItsSide) {
  auto config = std::make_shared<ListenerConfig>();
  config->routes.resize(1);
  config->routes[0].shares = {{"app", 90}, {"canary", 10}};
  TcpRouter router(config);
  EXPECT_FALSE(router.needs_name());
  std::map<std::string, int> count;
  Address client = *Address::parse_ip("10.0.0.1", 1);
  for (uint64_t key = 0; key < 10'000; ++key) {
    const std::string* pool = router.find("", client, key);
    ASSERT_EQ(router.find("", client, key), pool);
    ++count[*pool];
  }
  EXPECT_EQ(count["app"], 9'000);
}

}  // namespace
}  // namespace lb
