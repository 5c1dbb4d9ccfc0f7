// SPDX-License-Identifier: MIT
// Clients that cost more than they are worth: each is sent away within a bound, and others on the
// same worker do not notice.
#include <gtest/gtest.h>

#include "http2_rig.h"
#include "l7/http2_budget.h"
#include "l7/http2_session.h"

namespace lb {
namespace {

struct Flood {
  const char* what;
  std::string before;               // said once
  std::string (*next)(uint32_t i);  // said again and again
  uint32_t most;                    // times that are more than enough
};

std::string empty_continuations(uint32_t i) {
  return i == 0 ? frame(Http2Type::headers, Http2Flag::kEndStream, 1, "")
                : frame(Http2Type::continuation, 0, 1, "");
}

std::string large_continuations(uint32_t i) {
  std::string piece(8'000, 'x');
  return i == 0 ? frame(Http2Type::headers, Http2Flag::kEndStream, 1, piece)
                : frame(Http2Type::continuation, 0, 1, piece);
}

// A field of 4,000 bytes that is named once, then 8,000 times by one byte each.
std::string bomb(uint32_t i) {
  std::string fields = block(request_fields());
  std::string entry = std::string("\x40") + hpack_text("x") + hpack_text(std::string(4'000, 'y'));
  return frame(Http2Type::headers, kEnds, 2 * i + 1, fields + entry + std::string(8'000, '\xbe'));
}

std::vector<Flood> floods() {
  return {
      {"requests that are reset at once", "",
       [](uint32_t i) { return post(2 * i + 1) + reset(2 * i + 1); }, 2'000},
      {"requests that make us reset them", "",
       [](uint32_t i) { return post(2 * i + 1) + window_update(2 * i + 1, 0); }, 2'000},
      {"requests that are malformed", "",
       [](uint32_t i) {
         return get(2 * i + 1, {{"Bad", "x"}});
       },
       2'000},
      {"bodies that are longer than they said", "",
       [](uint32_t i) {
         return post(2 * i + 1, {{"content-length", "1"}}) + data("xy", 2 * i + 1);
       },
       2'000},
      {"PING", "", [](uint32_t) { return ping(); }, 5'000},
      {"SETTINGS", "",
       [](uint32_t) {
         return settings({{4, 100}});
       },
       2'000},
      {"SETTINGS that say nothing", "", [](uint32_t) { return settings(); }, 2'000},
      {"PRIORITY", "",
       [](uint32_t i) {
         return frame(Http2Type::priority, 0, 2 * i + 1, uint32_bytes(0) + '\x01');
       },
       10'000},
      {"empty DATA", post(), [](uint32_t) { return data("", 1, false); }, 10'000},
      {"DATA of padding alone", post(),
       [](uint32_t) {
         return frame(Http2Type::data, Http2Flag::kPadded, 1, std::string("\x02\0\0", 3));
       },
       10'000},
      {"WINDOW_UPDATE of the connection", "", [](uint32_t) { return window_update(0, 1); }, 10'000},
      {"WINDOW_UPDATE of a stream", post(), [](uint32_t) { return window_update(1, 1); }, 10'000},
      {"RST_STREAM of what is closed", post() + reset(1), [](uint32_t) { return reset(1); },
       10'000},
      {"frames that nobody knows", "", [](uint32_t) { return frame(Http2Type{0x42}, 0, 0, "x"); },
       10'000},
      {"GOAWAY", post(),
       [](uint32_t) { return frame(Http2Type::goaway, 0, 0, std::string(8, '\0')); }, 10'000},
      {"empty CONTINUATION", "", empty_continuations, 1'000},
      {"large CONTINUATION", "", large_continuations, 100},
      {"fields that grow in our hands", "", bomb, 40},
      {"requests beyond the most that there may be", "", [](uint32_t i) { return post(2 * i + 1); },
       5'000},
  };
}

class Http2Abuse : public Http2Test {
 protected:
  Http2Abuse() {
    add_server();
    HttpRoute answered;
    answered.match.methods = {"GET"};
    answered.respond = HttpRespond{200, "ok", {}};
    listener_->http.routes.insert(listener_->http.routes.begin(), answered);
  }
};

TEST_F(Http2Abuse, EachFloodEndsItsConnectionAndNoOther) {
  for (const Flood& flood : floods()) {
    auto good = connect();
    auto bad = connect();
    bad->say(flood.before);
    uint32_t i = 0;
    uint32_t asked = 1;
    while (i < flood.most && !bad->closed && bad->goaway.empty()) {
      for (uint32_t end = i + 20; i < end; ++i) bad->say(flood.next(i));
      rig_.loop.run_turn(false);
      bad->listen();
    }
    ASSERT_TRUE(bad->until([&] { return bad->closed; })) << flood.what;
    EXPECT_EQ(bad->goaway, "ENHANCE_YOUR_CALM") << flood.what;
    EXPECT_LT(i, flood.most) << flood.what;
    good->say(get(asked));
    EXPECT_TRUE(good->until([&] { return good->streams[asked].ended; })) << flood.what;
    EXPECT_EQ(good->seen, "1:200") << flood.what;
  }
}

TEST_F(Http2Abuse, OfTwentyThousandResetRequestsFewReachAServer) {
  auto bad = connect();
  for (uint32_t i = 0; i < 20'000 && !bad->closed; ++i) {
    bad->say(post(2 * i + 1) + reset(2 * i + 1));
    if (i % 50 == 0) {
      rig_.loop.run_turn(false);
      bad->listen();
    }
  }
  ASSERT_TRUE(bad->until([&] { return bad->closed; }));
  EXPECT_EQ(bad->goaway, "ENHANCE_YOUR_CALM");
  EXPECT_LT(frontend_->cell().requests.read(), 500u);
}

TEST_F(Http2Abuse, ManyRequestsThatAreAnsweredAreNone) {
  auto good = connect();
  for (uint32_t i = 0; i < 3'000; ++i) {
    good->say(get(2 * i + 1));
    if (i % 100 == 99) {
      ASSERT_TRUE(good->settle());
    }
  }
  EXPECT_TRUE(good->settle());
  EXPECT_EQ(good->streams.size(), 3'000u);
  EXPECT_EQ(good->goaway, "");
}

TEST_F(Http2Abuse, APageThatIsLeftIsNone) {
  auto good = connect();
  uint32_t id = 1;
  std::string left;
  for (int i = 0; i < 100; ++i, id += 2) left += post(id);
  good->say(left);
  for (uint32_t i = 1; i < id; i += 2) good->say(reset(i));
  good->say(get(id));
  ASSERT_TRUE(good->until([&] { return good->streams[id].ended; }));
  EXPECT_EQ(good->goaway, "");
}

TEST(Http2BudgetTest, ComesBackWithTimeAndWork) {
  Http2Budget budget({10, 100}, 1'000);
  EXPECT_TRUE(budget.spend(10, 1'000));
  EXPECT_FALSE(budget.spend(1, 1'000));
  EXPECT_TRUE(budget.spend(2, 1'030));  // -1 + 3
  EXPECT_FALSE(budget.spend(1, 1'030));
  budget.earn(100);
  EXPECT_TRUE(budget.spend(10, 1'030));
  EXPECT_FALSE(budget.spend(1, 1'035));  // less than a token has grown
  EXPECT_TRUE(budget.spend(10, 900'000));
}

}  // namespace
}  // namespace lb
