// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "../loopback.h"
#include "admin/api.h"
#include "admin/http_server.h"
#include "common/json.h"
#include "fake_control.h"

namespace lb::admin {

inline constexpr const char* kToken = "correct-horse-battery";

struct Heard {
  int status = 0;
  std::vector<HttpField> fields;
  std::string text;
  Json body;
};

// The API over a real socket, as its clients see it.
class ApiTest : public testing::Test {
 protected:
  ApiTest() { start(""); }

  void start(const std::string& token) {
    AdminConfig config;
    config.address = *Address::parse("127.0.0.1:9900");
    config.token = token;
    http_.reset();
    api_.emplace(loop_, control_, config);
    Fd fd = listen_stream(*Address::parse("127.0.0.1:0"), {}).value();
    address_ = local_address(fd.get());
    http_.emplace(loop_, std::move(fd), *api_);
  }

  Heard ask(const std::string& method, const std::string& target, const std::string& body = "",
            const std::string& fields = "Host: localhost\r\n") {
    Fd fd = connect_to(address_);
    std::string length =
        body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
    send_some(fd.get(), method + " " + target + " HTTP/1.1\r\n" + fields + length +
                            "Connection: close\r\n\r\n" + body);
    std::string heard;
    EXPECT_TRUE(run_until(loop_, [&] { return receive(fd.get(), heard) != -EAGAIN; }));
    return parse(heard);
  }
  Heard change(const std::string& method, const std::string& target, const std::string& body) {
    return ask(method, target, body,
               std::string("Host: localhost\r\nAuthorization: Bearer ") + kToken + "\r\n");
  }

  static Heard parse(const std::string& heard) {
    Heard reply;
    size_t end = heard.find("\r\n\r\n");
    if (end == std::string::npos) return reply;
    reply.status = std::stoi(heard.substr(9, 3));
    auto head =
        parse_request_head("GET / HTTP/1.1\r\nHost: a\r\n" +
                           heard.substr(heard.find("\r\n") + 2, end + 2 - heard.find("\r\n")));
    if (head) reply.fields = head->fields;
    reply.text = heard.substr(end + 4);
    if (auto body = parse_json(reply.text)) reply.body = *body;
    return reply;
  }

  EventLoop loop_;
  FakeControl control_;
  Address address_;
  std::optional<Api> api_;
  std::optional<HttpServer> http_;
};

}  // namespace lb::admin
