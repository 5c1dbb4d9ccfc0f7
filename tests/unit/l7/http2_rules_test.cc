// SPDX-License-Identifier: MIT
// Each rule of RFC 9113 that a client can break, at a connection of its own.
#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "http2_rig.h"
#include "http2_rules.h"

namespace lb {
namespace {

std::vector<Http2Rule> all_rules() {
  std::vector<Http2Rule> rules = http2_rules_of_frames();
  for (auto more : {http2_rules_of_streams(), http2_rules_of_fields(), http2_rules_of_targets()}) {
    rules.insert(rules.end(), more.begin(), more.end());
  }
  return rules;
}

// GET is answered by the route itself, the rest by a server once it has a whole request.
class Http2Rules : public Http2Test {
 protected:
  Http2Rules() {
    add_server();
    HttpRoute answered;
    answered.match.methods = {"GET"};
    answered.respond = HttpRespond{200, "ok", {}};
    listener_->http.routes.insert(listener_->http.routes.begin(), answered);
    listener_->http.limits.max_header_size = 32 * 1024;
  }

  void serve() {
    if (Fd next = listening_[0]->try_accept()) conversations_.push_back({std::move(next), {}});
    for (Conversation& one : conversations_) {
      if (receive(one.fd.get(), one.heard) != -EAGAIN || !is_whole(one.heard)) continue;
      one.heard.clear();
      says(one.fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  }

  std::string outcome(const Http2Rule& rule, size_t piece) {
    auto peer = connect(rule.is_opening ? "" : opening());
    for (size_t at = 0; at < rule.said.size(); at += piece) {
      peer->say(std::string_view(rule.said).substr(at, piece));
      if (piece < rule.said.size()) rig_.loop.run_turn(false);
    }
    peer->until([&] {
      serve();
      return peer->seen == rule.seen || peer->closed;
    });
    peer->settle();
    return peer->seen;
  }

 private:
  struct Conversation {
    Fd fd;
    std::string heard;
  };

  static bool is_whole(const std::string& heard) {
    size_t head = heard.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    if (heard.find("Transfer-Encoding: chunked") != std::string::npos) {
      return heard.find("0\r\n", head) != std::string::npos && heard.ends_with("\r\n\r\n") &&
             heard.size() > head + 4;
    }
    size_t length = heard.find("Content-Length: ");
    size_t body = length == std::string::npos ? 0 : std::stoul(heard.substr(length + 16));
    return heard.size() >= head + 4 + body;
  }

  std::deque<Conversation> conversations_;
};

TEST_F(Http2Rules, EachIsKept) {
  for (const Http2Rule& rule : all_rules()) {
    EXPECT_EQ(outcome(rule, rule.said.size()), rule.seen) << rule.what;
  }
}

TEST_F(Http2Rules, EachIsKeptInPieces) {
  for (const Http2Rule& rule : all_rules()) {
    size_t piece = rule.said.size() < 600 ? 7 : 4'001;
    EXPECT_EQ(outcome(rule, piece), rule.seen) << rule.what;
  }
}

TEST_F(Http2Rules, ThereAreMany) {
  EXPECT_GE(all_rules().size(), 120u);
}

}  // namespace
}  // namespace lb
