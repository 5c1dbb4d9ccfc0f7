// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/api.h"
#include "fake_control.h"

namespace lb::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kToken = "correct-horse-battery";

HttpRequest request(std::vector<HttpField> fields = {}) {
  HttpRequest request;
  request.method = "GET";
  request.path = "/lb/stats";
  request.fields = std::move(fields);
  request.fields.emplace_back("Host", "localhost");
  return request;
}

TEST(Stats, WhereReadingNeedsTheTokenThePageAsksForIt) {
  EventLoop loop;
  FakeControl control;
  AdminConfig config;
  config.address = *Address::parse("10.0.0.1:9900");
  config.token = kToken;
  Api api(loop, control, config);

  auto page = api.refuse(request());
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 401);
  EXPECT_EQ(page->content_type, "text/html; charset=utf-8");
  EXPECT_EQ(*find_field(page->fields, "WWW-Authenticate"), "Bearer");
  EXPECT_THAT(*find_field(page->fields, "Content-Security-Policy"),
              HasSubstr("default-src 'none'"));
  EXPECT_THAT(page->body, HasSubstr("<title>lb</title>"));

  auto data = api.refuse(request({{"Accept", "application/json"}}));
  ASSERT_TRUE(data);
  EXPECT_EQ(data->status, 401);
  EXPECT_THAT(data->body, Not(HasSubstr("<title>")));

  EXPECT_FALSE(api.refuse(request({{"Authorization", std::string("Bearer ") + kToken}})));
}

}  // namespace
}  // namespace lb::admin
