// SPDX-License-Identifier: MIT
#include "health/dns_message.h"

#include <gtest/gtest.h>

#include <string>

#include "../net/fake_dns.h"

namespace lb {
namespace {

using Kind = DnsReply::Kind;
constexpr uint16_t kId = 0x1234;
const DnsQuestion kQuestion{"db.example", 1};

struct Counts {
  size_t questions = 1;
  size_t answers = 0;
  size_t authorities = 0;
  size_t additional = 0;
};

std::string message(unsigned flags, const Counts& counts, const std::string& rest) {
  return dns_u16(kId) + dns_u16(flags) + dns_u16(counts.questions) + dns_u16(counts.answers) +
         dns_u16(counts.authorities) + dns_u16(counts.additional) + rest;
}

const std::string kAsked = dns_name("db.example") + dns_u16(1) + dns_u16(1);
const std::string kRecord = "\xc0\x0c" + dns_u16(1) + dns_u16(1) + std::string(4, '\0') +
                            dns_u16(4) + "\x0a" + std::string(3, '\1');
constexpr unsigned kFine = 0x8180;

TEST(DnsMessages, AQueryIsWhatRfc1035Says) {
  EXPECT_EQ(dns_query(kId, kQuestion),
            dns_u16(kId) + dns_u16(0x0100) + dns_u16(1) + std::string(6, '\0') + kAsked);
  EXPECT_EQ(dns_query(kId, {".", 2}).substr(12), std::string(1, '\0') + dns_u16(2) + dns_u16(1));
}

TEST(DnsMessages, AnswersAreCheckedRecordByRecord) {
  struct Row {
    const char* what;
    std::string bytes;
    Kind kind;
    int rcode = 0;
  };
  const std::string long_name(300, '\1');
  const Row rows[] = {
      {"an answer", message(kFine, {1, 1}, kAsked + kRecord), Kind::whole},
      {"no records", message(kFine, {1}, kAsked), Kind::whole},
      {"all sections", message(kFine, {1, 1, 1, 1}, kAsked + kRecord + kRecord + kRecord),
       Kind::whole},
      {"the name in other case",
       message(kFine, {1}, dns_name("DB.Example") + dns_u16(1) + dns_u16(1)), Kind::whole},
      {"SERVFAIL", message(kFine | 2, {1}, kAsked), Kind::whole, 2},
      {"REFUSED without the question", message(kFine | 5, {0}, ""), Kind::whole, 5},
      {"NOERROR without the question", message(kFine, {0}, ""), Kind::malformed},
      {"truncated", message(kFine | 0x200, {1, 5}, kAsked), Kind::truncated},
      {"nothing", "", Kind::other},
      {"half a header", message(kFine, {1}, kAsked).substr(0, 11), Kind::other},
      {"another id", "xx" + message(kFine, {1}, kAsked).substr(2), Kind::other},
      {"a query", message(0x0100, {1}, kAsked), Kind::other},
      {"another operation", message(0xA180, {1}, kAsked), Kind::other},
      {"another question", message(kFine, {1}, dns_name("x.example") + dns_u16(1) + dns_u16(1)),
       Kind::other},
      {"another type", message(kFine, {1}, dns_name("db.example") + dns_u16(28) + dns_u16(1)),
       Kind::other},
      {"two questions", message(kFine, {2}, kAsked + kAsked), Kind::other},
      {"half a question", message(kFine, {1}, kAsked.substr(0, 5)), Kind::other},
      {"a record that is missing", message(kFine, {1, 2}, kAsked + kRecord), Kind::malformed},
      {"a record that is cut", message(kFine, {1, 1}, kAsked + kRecord.substr(0, 13)),
       Kind::malformed},
      {"a record without its frame", message(kFine, {1, 1}, kAsked + "\xc0\x0c\1"),
       Kind::malformed},
      {"a pointer to itself", message(kFine, {1, 1}, kAsked + "\xc0\x1c" + kRecord.substr(2)),
       Kind::malformed},
      {"a pointer into the header", message(kFine, {1, 1}, kAsked + "\xc0\x02" + kRecord.substr(2)),
       Kind::malformed},
      {"a pointer forward", message(kFine, {1, 1}, kAsked + "\xc0\xff" + kRecord.substr(2)),
       Kind::malformed},
      {"a reserved label", message(kFine, {1, 1}, kAsked + "\x80" + kRecord), Kind::malformed},
      {"a name without end", message(kFine, {1, 1}, kAsked + long_name + kRecord), Kind::malformed},
      {"65,535 records of nothing", message(kFine, {1, 65'535, 65'535, 65'535}, kAsked),
       Kind::malformed},
  };
  for (const Row& row : rows) {
    DnsReply reply = parse_dns_reply(row.bytes, kId, kQuestion);
    EXPECT_EQ(reply.kind, row.kind) << row.what;
    if (row.kind == Kind::whole) {
      EXPECT_EQ(reply.rcode, row.rcode) << row.what;
    }
  }
}

TEST(DnsMessages, EveryCutOfAnAnswerIsBroken) {
  std::string whole = message(kFine, {1, 2}, kAsked + kRecord + kRecord);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(parse_dns_reply(whole.substr(0, size), kId, kQuestion).kind, Kind::whole) << size;
  }
}

}  // namespace
}  // namespace lb
