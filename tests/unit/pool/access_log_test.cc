// SPDX-License-Identifier: MIT
#include "pool/access_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/json.h"

namespace lb {
namespace {

constexpr auto kJson = AccessLogConfig::Format::json;
constexpr auto kCombined = AccessLogConfig::Format::combined;
constexpr int64_t kNow_ms = 1'795'280'400'123;  // 2026-11-21T17:00:00.123Z

Address address(const std::string& text) {
  return *Address::parse(text);
}

AccessRecord request(const Address& client) {
  AccessRecord record{client, "finished"};
  record.pool = "app";
  record.server = "app1";
  record.retries = 1;
  record.bytes_in = 12;
  record.bytes_out = 3456;
  record.queued_us = 250;
  record.connected_us = 1'250;
  record.answered_us = 4'000;
  record.took_us = 5'000;
  record.tls = "TLSv1.3";
  record.sni = "shop.example";
  record.protocol = "HTTP/1.1";
  record.method = "GET";
  record.host = "shop.example";
  record.path = "/a";
  record.query = "?b=c";
  record.referer = "https://shop.example/";
  record.user_agent = "curl/8.0";
  record.request_id = "00000000000000010000000000000002";
  record.status = 200;
  return record;
}

TEST(AccessLog, ARequestAsJson) {
  Address client = address("192.0.2.1:51234");
  EXPECT_EQ(AccessLog::line("web", kJson, request(client), kNow_ms),
            R"({"time":"2026-11-21T17:00:00.118Z","listener":"web","client":"192.0.2.1",)"
            R"("client_port":51234,"protocol":"HTTP/1.1","tls":"TLSv1.3","sni":"shop.example",)"
            R"("method":"GET","host":"shop.example","uri":"/a?b=c","status":200,)"
            R"("referer":"https://shop.example/","user_agent":"curl/8.0",)"
            R"("request_id":"00000000000000010000000000000002","pool":"app","server":"app1",)"
            R"("retries":1,"bytes_in":12,"bytes_out":3456,"queue_ms":0.250,"connect_ms":1,)"
            R"("response_ms":2.750,"duration_ms":5,"termination":"finished"})"
            "\n");
}

TEST(AccessLog, ASessionOfDatagrams) {
  Address client = address("[2001:db8::1]:5353");
  AccessRecord record{client, "idle_timeout"};
  record.protocol = "udp";
  record.pool = "dns";
  record.server = "ns1";
  record.bytes_in = 40;
  record.bytes_out = 512;
  record.datagrams_in = 1;
  record.datagrams_out = 2;
  record.queued_us = record.connected_us = 0;
  record.answered_us = 3'000;
  record.took_us = 30'003'000;
  EXPECT_EQ(AccessLog::line("in", kJson, record, kNow_ms),
            R"({"time":"2026-11-21T16:59:30.120Z","listener":"in","client":"2001:db8::1",)"
            R"("client_port":5353,"protocol":"udp","tls":null,"sni":null,"pool":"dns",)"
            R"("server":"ns1","retries":0,"bytes_in":40,"bytes_out":512,"datagrams_in":1,)"
            R"("datagrams_out":2,"queue_ms":0,"connect_ms":0,"response_ms":3,)"
            R"("duration_ms":30003,"termination":"idle_timeout"})"
            "\n");
  EXPECT_EQ(AccessLog::line("in", kCombined, record, kNow_ms),
            "2001:db8::1 - - [21/Nov/2026:16:59:30 +0000] \"UDP\" - 512 \"-\" \"-\" listener=in "
            "server=dns/ns1 retries=0 queue_ms=0 connect_ms=0 response_ms=3 duration_ms=30003 "
            "termination=\"idle_timeout\"\n");
}

TEST(AccessLog, ARequestInTheCombinedFormat) {
  Address client = address("[2001:db8::1]:51234");
  EXPECT_EQ(AccessLog::line("web", kCombined, request(client), kNow_ms),
            R"(2001:db8::1 - - [21/Nov/2026:17:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 3456 )"
            R"("https://shop.example/" "curl/8.0" listener=web server=app/app1 retries=1 )"
            R"(queue_ms=0.250 connect_ms=1 response_ms=2.750 duration_ms=5 )"
            R"(termination="finished")"
            "\n");
}

TEST(AccessLog, WhatARequestThatNobodyAnsweredLacksIsNull) {
  Address client = address("192.0.2.1:0");
  AccessRecord record{client, "client left"};
  record.protocol = "HTTP/1.1";
  EXPECT_EQ(AccessLog::line("web", kJson, record, kNow_ms),
            R"({"time":"2026-11-21T17:00:00.123Z","listener":"web","client":"192.0.2.1",)"
            R"("client_port":null,"protocol":"HTTP/1.1","tls":null,"sni":null,"method":null,)"
            R"("host":null,"uri":null,"status":null,"referer":null,"user_agent":null,)"
            R"("request_id":null,"pool":null,"server":null,"retries":0,"bytes_in":0,)"
            R"("bytes_out":0,"queue_ms":null,"connect_ms":null,"response_ms":null,)"
            R"("duration_ms":0,"termination":"client left"})"
            "\n");
  EXPECT_EQ(AccessLog::line("web", kCombined, record, kNow_ms),
            R"(192.0.2.1 - - [21/Nov/2026:17:00:00 +0000] "-" - 0 "-" "-" listener=web server=- )"
            R"(retries=0 queue_ms=- connect_ms=- response_ms=- duration_ms=0 )"
            R"(termination="client left")"
            "\n");
}

TEST(AccessLog, AConnectionOfTcpHasNothingOfHttp) {
  Address client = address("192.0.2.1:51234");
  AccessRecord record{client, "idle timeout"};
  record.pool = "db";
  record.server = "db1";
  record.bytes_in = 1;
  record.bytes_out = 2;
  record.queued_us = 0;
  record.connected_us = 1'000;
  record.took_us = 3'600'000'000;
  EXPECT_EQ(AccessLog::line("pg", kJson, record, kNow_ms),
            R"({"time":"2026-11-21T16:00:00.123Z","listener":"pg","client":"192.0.2.1",)"
            R"("client_port":51234,"protocol":"tcp","tls":null,"sni":null,"pool":"db",)"
            R"("server":"db1","retries":0,"bytes_in":1,"bytes_out":2,"queue_ms":0,)"
            R"("connect_ms":1,"response_ms":null,"duration_ms":3600000,)"
            R"("termination":"idle timeout"})"
            "\n");
  EXPECT_EQ(AccessLog::line("pg", kCombined, record, kNow_ms),
            R"(192.0.2.1 - - [21/Nov/2026:16:00:00 +0000] "TCP" - 2 "-" "-" listener=pg )"
            R"(server=db/db1 retries=0 queue_ms=0 connect_ms=1 response_ms=- )"
            R"(duration_ms=3600000 termination="idle timeout")"
            "\n");
}

// What a client may send to forge lines or fields, to break a reader, or to reach a terminal.
TEST(AccessLog, WhateverAClientSendsStaysInItsField) {
  const std::vector<std::string> nasty = {
      "\"",
      "\\",
      "\n",
      "\r\n127.0.0.1 - - [x] \"GET / HTTP/1.1\" 200",
      "\", \"status\": 200, \"x\": \"",
      "\" 200 1 \"",
      std::string("\0", 1),
      "\x1b[2J\x1b]0;title\x07",
      "\x7f",
      "\xff\xfe",
      "\xc0\xaf",          // an overlong slash
      "\xed\xa0\x80",      // a surrogate
      "\xf4\x90\x80\x80",  // beyond Unicode
      "\xe2\x82",          // cut
      "caf\xc3\xa9 \xe2\x80\xa8 \xe2\x80\xa9 \xc2\x85 \xc2\x9b",
      std::string(100'000, 'a'),
      std::string(100'000, '\xff'),
  };
  Address client = address("192.0.2.1:1");
  for (const std::string& text : nasty) {
    AccessRecord record = request(client);
    record.method = text;
    record.host = text;
    record.path = text;
    record.query = text;
    record.referer = text;
    record.user_agent = text;
    record.request_id = text;
    record.sni = text;
    std::string json = AccessLog::line("web", kJson, record, kNow_ms);
    ASSERT_EQ(json.find('\n'), json.size() - 1);
    for (const char* control :
         {"\x1b", "\x7f", "\xc2\x9b", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"}) {
      ASSERT_EQ(json.find(control), json.npos);
    }
    EXPECT_LT(json.size(), 200'000u);
    auto read = parse_json(json);
    ASSERT_TRUE(read) << read.error().message << " in " << json;
    EXPECT_EQ(read->size(), 24u);
    EXPECT_EQ((*read)["status"], 200);
    EXPECT_EQ((*read)["termination"], "finished");
    std::string combined = AccessLog::line("web", kCombined, record, kNow_ms);
    ASSERT_EQ(combined.find('\n'), combined.size() - 1);
    size_t quotes = 0;
    for (char c : combined) {
      quotes += c == '"';
      if (c != '\n') {
        ASSERT_TRUE(c >= 0x20 && c < 0x7f);
      }
    }
    EXPECT_EQ(quotes, 8u);
  }
}

TEST(AccessLog, TextThatIsUtf8StaysAsItIsInJson) {
  Address client = address("192.0.2.1:1");
  AccessRecord record = request(client);
  record.user_agent = "caf\xc3\xa9 \"x\"";
  auto read = parse_json(AccessLog::line("web", kJson, record, kNow_ms));
  ASSERT_TRUE(read);
  EXPECT_EQ((*read)["user_agent"], "caf\xc3\xa9 \"x\"");
}

TEST(AccessLog, AClientOnAUnixSocketHasNoAddressToForge) {
  Address client = address("unix:/run/a\" \"b.sock");
  AccessRecord record = request(client);
  EXPECT_TRUE(AccessLog::line("web", kCombined, record, kNow_ms).starts_with("unix: - - ["));
  auto read = parse_json(AccessLog::line("web", kJson, record, kNow_ms));
  ASSERT_TRUE(read);
  EXPECT_EQ((*read)["client"], "unix:/run/a\" \"b.sock");
}

}  // namespace
}  // namespace lb
