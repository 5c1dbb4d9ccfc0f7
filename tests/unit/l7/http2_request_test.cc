// SPDX-License-Identifier: MIT
#include "l7/http2_request.h"

#include <gtest/gtest.h>

#include "http2_wire.h"

namespace lb {
namespace {

struct Read {
  KeptRequest kept;
  Http2Verdict verdict;
  int status;
};

std::unique_ptr<Read> read(const WireFields& fields, bool end_stream = true,
                           HeadLimits limits = {}) {
  auto result = std::make_unique<Read>();
  Http2RequestReader reader(result->kept, limits);
  for (const auto& [name, value] : fields) reader.add(name, value);
  result->verdict = reader.finish(end_stream);
  result->status = reader.refusal().status;
  return result;
}

TEST(Http2RequestReaderTest, MakesWhatHttp1Makes) {
  auto result = read(request_fields({{"user-agent", "x"},
                                     {"cookie", "a=1"},
                                     {"cookie", "b=2"},
                                     {"te", "trailers"},
                                     {"trailer", "x-sum"},
                                     {"expect", "100-continue"}}),
                     false);
  ASSERT_EQ(result->verdict, Http2Verdict::good);
  const RequestHead& head = result->kept.head;
  EXPECT_EQ(head.method, Method::get);
  EXPECT_EQ(head.authority, "a.example");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.body, BodyKind::streamed);
  EXPECT_EQ(head.major, 2);
  EXPECT_TRUE(head.takes_trailers);
  EXPECT_TRUE(head.expects_continue);
  ASSERT_EQ(head.fields.size(), 3u);
  EXPECT_EQ(head.find(FieldId::cookie)->value, "a=1; b=2");
  EXPECT_EQ(head.find(FieldId::user_agent)->value, "x");
}

TEST(Http2RequestReaderTest, EmptyCookiesLeaveNothingBehind) {
  auto joined = [](const WireFields& cookies) {
    auto result = read(request_fields(cookies));
    const Field* cookie = result->kept.head.find(FieldId::cookie);
    return cookie == nullptr ? "none" : std::string(cookie->value);
  };
  EXPECT_EQ(joined({{"cookie", "a=1"}, {"cookie", ""}}), "a=1");
  EXPECT_EQ(joined({{"cookie", ""}, {"cookie", "a=1"}, {"cookie", ""}, {"cookie", "b=2"}}),
            "a=1; b=2");
  EXPECT_EQ(joined({{"cookie", ""}}), "none");
}

TEST(Http2RequestReaderTest, ALengthSaysWhatTheBodyIs) {
  auto body_of = [](const char* length, bool end_stream) {
    return read(request_fields({{"content-length", length}}), end_stream)->kept.head.body;
  };
  EXPECT_EQ(body_of("3", false), BodyKind::length);
  EXPECT_EQ(body_of("0", false), BodyKind::none);
  EXPECT_EQ(body_of("0", true), BodyKind::none);
  EXPECT_EQ(read(request_fields())->kept.head.body, BodyKind::none);
}

TEST(Http2RequestReaderTest, LimitsAreKept) {
  HeadLimits limits{100, 1'000};
  EXPECT_EQ(read(request_fields({{"x", std::string(2'000, 'y')}}), true, limits)->status, 431);
  WireFields fields = request_fields();
  fields[2].second = "/" + std::string(100, 'x');
  EXPECT_EQ(read(fields, true, limits)->status, 414);
  fields[2].second = "/" + std::string(99, 'x');
  EXPECT_EQ(read(fields, true, limits)->verdict, Http2Verdict::good);
  // 32 bytes for each field beside what it says.
  auto many = [&](size_t count) {
    return read(request_fields(WireFields(count, {"a", "b"})), true, limits)->verdict;
  };
  EXPECT_EQ(many(20), Http2Verdict::good);
  EXPECT_EQ(many(30), Http2Verdict::refused);
}

TEST(Http2TrailerReaderTest, LeavesOutWhatMustNotComeAfterTheFact) {
  Http2TrailerReader reader;
  for (const char* name : {"x-sum", "content-length", "host", "cookie", "authorization", "te"}) {
    reader.add(name, "1");
  }
  EXPECT_EQ(reader.why(), nullptr);
  ASSERT_EQ(reader.trailers().size(), 1u);
  EXPECT_EQ(reader.trailers()[0].name, "x-sum");
}

TEST(Http2TrailerReaderTest, RefusesWhatIsNone) {
  for (const auto& [name, value] :
       WireFields{{":path", "/"}, {"X", "1"}, {"x", "a\nb"}, {"connection", "x"}, {"", "x"}}) {
    Http2TrailerReader reader;
    reader.add(name, value);
    EXPECT_NE(reader.why(), nullptr) << name;
  }
  Http2TrailerReader reader;
  reader.add("x", std::string(9'000, 'x'));
  EXPECT_NE(reader.why(), nullptr);
}

}  // namespace
}  // namespace lb
