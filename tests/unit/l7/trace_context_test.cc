// SPDX-License-Identifier: MIT
#include "l7/trace_context.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "l7/span.h"

namespace lb {
namespace {

constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Written {
  const char* text;
  bool is_valid;
  bool is_sampled;
};

TEST(TraceContext, IsReadAsTheStandardHasIt) {
  for (const Written& row :
       {Written{kParent, true, true},
        Written{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02", true, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", true, true},
        Written{"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true, true},
        Written{"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", true, true},
        Written{"00-0000000000000000b7ad6b7169203331-b7ad6b7169203331-01", true, true},
        Written{"", false, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false, false},
        Written{"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more", false, false},
        Written{"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
        Written{"00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", false, false},
        Written{"00-00000000000000000000000000000000-b7ad6b7169203331-01", false, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, false},
        Written{"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01", false, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01", false, false},
        Written{"00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", false, false},
        Written{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x", false, false}}) {
    TraceContext context;
    ASSERT_EQ(parse_traceparent(row.text, context), row.is_valid) << row.text;
    EXPECT_EQ(row.is_valid && context.is_sampled, row.is_sampled) << row.text;
  }
}

struct Asked {
  KeptRequest request;
  explicit Asked(std::vector<Field> fields) { request.head.fields = std::move(fields); }

  std::string told() const {
    const Field* field = request.head.find(FieldId::traceparent);
    return field == nullptr ? "" : std::string(field->value);
  }
};

TEST(TraceContext, OfTheClientGoesOnWithASpanOfOurs) {
  Asked asked(
      {{"TraceParent", kParent, FieldId::traceparent}, {"tracestate", "a=b", FieldId::tracestate}});
  TraceContext context = take_up_trace(asked.request, 0, {1, 2, 0x0123456789abcdef, 4});
  EXPECT_TRUE(context.is_sampled) << "as the client says, whatever our own share is";
  EXPECT_EQ(context.parent, 0xb7ad6b7169203331);
  EXPECT_EQ(asked.told(), "00-0af7651916cd43dd8448eb211c80319c-0123456789abcdef-01");
  EXPECT_NE(asked.request.head.find(FieldId::tracestate), nullptr);
  EXPECT_EQ(asked.request.head.fields.size(), 2U);
}

TEST(TraceContext, BeginsWhereThereIsNoneOrNoValidOne) {
  for (auto fields :
       {std::vector<Field>{}, std::vector<Field>{{"traceparent", "nonsense", FieldId::traceparent}},
        std::vector<Field>{{"traceparent", kParent, FieldId::traceparent},
                           {"traceparent", kParent, FieldId::traceparent}},
        std::vector<Field>{{"tracestate", "a=b", FieldId::tracestate}}}) {
    Asked asked(fields);
    TraceContext context = take_up_trace(asked.request, 100, {16, 32, 64, 4});
    EXPECT_TRUE(context.is_sampled);
    EXPECT_EQ(context.parent, 0U);
    EXPECT_EQ(asked.told(), "00-00000000000000100000000000000021-0000000000000041-01");
    EXPECT_EQ(asked.request.head.fields.size(), 1U) << "the state of another trace goes";
  }
}

TEST(TraceContext, IsSampledInAsManyCasesAsAskedFor) {
  int sampled = 0;
  for (uint64_t lot = 0; lot < 1'000; ++lot) {
    Asked asked({});
    bool is_sampled = take_up_trace(asked.request, 7, {1, 2, 3, lot}).is_sampled;
    EXPECT_TRUE(asked.told().ends_with(is_sampled ? "-01" : "-00"));
    sampled += is_sampled ? 1 : 0;
  }
  EXPECT_EQ(sampled, 70);
}

TEST(Span, IsValidJsonWhateverTheClientSays) {
  Address client = *Address::parse("192.0.2.7:4000");
  TraceContext trace{.trace = {1, 2}, .parent = 3, .span = 4, .is_sampled = true};
  RequestHead head;
  head.method = Method::other;
  head.method_name = "GE\"T";
  head.query = "?q=\x01\xff\\";
  head.fields = {{"User-Agent", "\"}]}", FieldId::user_agent}};
  ExchangeRecord record{.client = client,
                        .request = &head,
                        .host = "a.example",
                        .path = "/\"x",
                        .status = 502,
                        .end = ExchangeEnd::server_failed,
                        .retries = 2,
                        .trace = &trace,
                        .queued_us = 5,
                        .total_us = 1'000};
  auto span = parse_json(span_of(record, "web", 5'000'000'000));
  ASSERT_TRUE(span) << span_of(record, "web", 5'000'000'000);
  EXPECT_EQ((*span)["traceId"], "00000000000000010000000000000002");
  EXPECT_EQ((*span)["spanId"], "0000000000000004");
  EXPECT_EQ((*span)["parentSpanId"], "0000000000000003");
  EXPECT_EQ((*span)["kind"], 2);
  EXPECT_EQ((*span)["startTimeUnixNano"], "4999000000");
  EXPECT_EQ((*span)["endTimeUnixNano"], "5000000000");
  EXPECT_EQ((*span)["status"]["code"], 2);
  std::map<std::string, std::string> told;
  for (const Json& one : (*span)["attributes"]) {
    const Json& value = one["value"];
    told[one["key"]] = value.contains("intValue") ? value["intValue"] : value["stringValue"];
  }
  EXPECT_EQ(told["url.path"], "/\"x");
  EXPECT_EQ(told["http.response.status_code"], "502");
  EXPECT_EQ(told["client.address"], "192.0.2.7");
  EXPECT_EQ(told["lb.listener"], "web");
  EXPECT_EQ(told["lb.retries"], "2");
  EXPECT_EQ(told["lb.termination"], "server_failed");
  EXPECT_EQ(told.count("lb.connected_us"), 0U) << "it never came to that";
}

TEST(Span, OfARequestThatHasNoParentSaysSo) {
  Address client = *Address::parse("192.0.2.7:4000");
  TraceContext trace{.trace = {1, 2}, .span = 4, .is_sampled = true};
  std::string span = span_of({.client = client, .status = 200, .trace = &trace}, "web", 1'000'000);
  EXPECT_TRUE(parse_json(span)) << span;
  EXPECT_EQ(span.find("parentSpanId"), std::string::npos);
  EXPECT_EQ(span.find("\"status\""), std::string::npos);
}

}  // namespace
}  // namespace lb
