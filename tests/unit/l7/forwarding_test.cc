// SPDX-License-Identifier: MIT
#include "l7/forwarding.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

const CidrSet kTrusted({*Cidr::parse("10.0.0.0/8"), *Cidr::parse("fd00::/8")});

TEST(Forwarding, TheClientIsTheRightmostAddressThatIsNotTrusted) {
  struct Row {
    const char* peer;
    std::vector<const char*> fields;
    const char* client;
  };
  const Row rows[] = {
      {"10.0.0.1:1", {}, "10.0.0.1"},
      {"10.0.0.1:1", {"1.1.1.1"}, "1.1.1.1"},
      {"10.0.0.1:1", {"1.1.1.1, 2.2.2.2"}, "2.2.2.2"},
      {"10.0.0.1:1", {"1.1.1.1,10.0.0.2"}, "1.1.1.1"},
      {"10.0.0.1:1", {"1.1.1.1", "10.0.0.2"}, "1.1.1.1"},
      {"10.0.0.1:1", {"1.1.1.1, 2.2.2.2", "3.3.3.3, 10.0.0.2"}, "3.3.3.3"},
      {"10.0.0.1:1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
      {"10.0.0.1:1", {"1.1.1.1, nonsense, 10.0.0.2"}, "10.0.0.2"},
      {"10.0.0.1:1", {"nonsense"}, "10.0.0.1"},
      {"10.0.0.1:1", {""}, "10.0.0.1"},
      {"10.0.0.1:1", {"1.1.1.1:443"}, "1.1.1.1"},
      {"10.0.0.1:1", {"2001:db8::1"}, "2001:db8::1"},
      {"10.0.0.1:1", {"[2001:db8::1]:443"}, "2001:db8::1"},
      {"10.0.0.1:1", {"::ffff:1.1.1.1"}, "1.1.1.1"},
      {"9.9.9.9:1", {"1.1.1.1"}, "9.9.9.9"},
  };
  for (const Row& row : rows) {
    RequestHead head;
    for (const char* value : row.fields) {
      head.fields.push_back({"X-Forwarded-For", value, FieldId::x_forwarded_for});
    }
    RequestOrigin origin;
    origin.peer = *Address::parse(row.peer);
    origin.is_trusted = kTrusted.contains(origin.peer);
    EXPECT_EQ(client_address(head, origin, kTrusted).ip_string(), row.client);
  }
}

TEST(Forwarding, WhatNobodyVouchesForIsDropped) {
  const Field fields[] = {
      {"X-Forwarded-For", "1.1.1.1", FieldId::x_forwarded_for},
      {"X-Real-IP", "1.1.1.1", FieldId::x_forwarded_other},
      {"X_Forwarded_For", "1.1.1.1", FieldId::other},
      {"x-real_ip", "1.1.1.1", FieldId::other},
      {"X_Other", "1.1.1.1", FieldId::other},
  };
  for (bool is_trusted : {false, true}) {
    RequestHead head;
    head.fields.assign(std::begin(fields), std::end(fields));
    RequestOrigin origin;
    origin.is_trusted = is_trusted;
    drop_forged_fields(head, origin);
    std::string left;
    for (const Field& field : head.fields) left.append(field.name).append(" ");
    EXPECT_EQ(left, is_trusted ? "X-Forwarded-For X-Real-IP X_Other " : "X_Other ");
  }
}

std::string forwarded(const char* peer, const char* host, bool tls) {
  RequestHead head;
  head.authority = host;
  KeptRequest request;
  request.assign(head);
  RequestOrigin origin;
  origin.peer = *Address::parse(peer);
  origin.is_tls = tls;
  set_forwarding_fields(request, origin, {1, 2});
  return std::string(request.head.find(FieldId::forwarded)->value);
}

TEST(Forwarding, ForwardedIsWrittenAsItsStandardSays) {
  EXPECT_EQ(forwarded("1.2.3.4:5", "a", false), "for=1.2.3.4;host=a;proto=http");
  EXPECT_EQ(forwarded("1.2.3.4:5", "a:80", true), "for=1.2.3.4;host=\"a:80\";proto=https");
  EXPECT_EQ(forwarded("[::1]:5", "a", false), "for=\"[::1]\";host=a;proto=http");
  EXPECT_EQ(forwarded("unix:/x", "a", false), "for=unknown;host=a;proto=http");
}

}  // namespace
}  // namespace lb
