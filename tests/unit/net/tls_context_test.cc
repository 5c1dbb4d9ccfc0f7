// SPDX-License-Identifier: MIT
#include "net/tls_context.h"

#include <gtest/gtest.h>

#include "tls_rig.h"

namespace lb {
namespace {

TEST(TlsClientContext, ShakesHandsWithAServerWhoseCertificateNamesIt) {
  TlsRig rig;
  rig.server_settings.alpn = {"h2", "http/1.1"};
  rig.client_settings.alpn = {"http/1.1"};
  ASSERT_TRUE(rig.connect()) << rig.client.reason();
  EXPECT_EQ(rig.client.tls()->version(), "TLSv1.3");
  EXPECT_EQ(rig.client.tls()->alpn(), "http/1.1");
  EXPECT_EQ(rig.server.tls()->alpn(), "http/1.1");
  EXPECT_EQ(rig.server.tls()->server_name(), "app.example");
  EXPECT_EQ(rig.client.tls()->peer_subject(), "CN=test");
  EXPECT_EQ(rig.server.tls()->peer_subject(), "");
}

struct Refused {
  const char* what;
  const char* names;  // of the server's certificate
  const char* asked;
  const char* reason;  // "" = accepted
  long days = 30;
  bool verify = true;
  bool other_authority = false;
};

class TlsVerification : public testing::TestWithParam<Refused> {};

TEST_P(TlsVerification, DecidesWhomToTrust) {
  const Refused& row = GetParam();
  TlsRig rig;
  rig.server_settings.certificates = {rig.issue({.names = row.names, .days = row.days}, "other")};
  rig.name = row.asked;
  rig.client_settings.verify = row.verify;
  TestAuthority stranger("Other CA");
  if (row.other_authority) {
    rig.client_settings.ca_file = rig.files.write("stranger.pem", stranger.certificate());
  }
  EXPECT_EQ(rig.connect(), std::string(row.reason).empty()) << rig.client.reason();
  EXPECT_EQ(rig.client.reason(), row.reason);
}

constexpr const char* kMismatch = "certificate verification failed: hostname mismatch";
constexpr const char* kWrongIp = "certificate verification failed: IP address mismatch";
INSTANTIATE_TEST_SUITE_P(
    Rows, TlsVerification,
    testing::Values(
        Refused{"name", "DNS:app.example", "app.example", ""},
        Refused{"other_name", "DNS:app.example", "db.example", kMismatch},
        Refused{"wildcard", "DNS:*.example.org", "a.example.org", ""},
        Refused{"wildcard_two_labels", "DNS:*.example.org", "a.b.example.org", kMismatch},
        Refused{"address", "IP:127.0.0.1", "127.0.0.1", ""},
        Refused{"address6", "IP:::1", "::1", ""},
        Refused{"other_address", "IP:127.0.0.2", "127.0.0.1", kWrongIp},
        Refused{"address_is_no_name", "DNS:127.0.0.1", "127.0.0.1", kWrongIp},
        Refused{"no_name_asked", "DNS:app.example", "", ""},
        Refused{"expired", "DNS:app.example", "app.example",
                "certificate verification failed: certificate has expired", -1},
        Refused{"expired_unverified", "DNS:app.example", "x.example", "", -1, false},
        Refused{"other_authority", "DNS:app.example", "app.example",
                "certificate verification failed: unable to get local issuer certificate", 30, true,
                true}),
    [](const auto& row) { return row.param.what; });

TEST(TlsClientContext, TheNameOfTheSettingsWinsAndIsSent) {
  TlsRig rig;
  rig.name = "10.0.0.1";
  rig.client_settings.server_name = "app.example";
  ASSERT_TRUE(rig.connect()) << rig.client.reason();
  EXPECT_EQ(rig.server.tls()->server_name(), "app.example");
}

TEST(TlsClientContext, AnAddressIsNotSentAsAName) {
  TlsRig rig;
  rig.server_settings.certificates = {rig.issue({.names = "IP:127.0.0.1"}, "ip")};
  rig.name = "127.0.0.1";
  ASSERT_TRUE(rig.connect()) << rig.client.reason();
  EXPECT_EQ(rig.server.tls()->server_name(), "");
}

TEST(TlsClientContext, ShowsItsOwnCertificate) {
  TlsRig rig;
  auto own = rig.issue({.common_name = "balancer"}, "own");
  rig.client_settings.certificate_file = own.certificate_file;
  rig.client_settings.key_file = own.key_file;
  rig.server_settings.client_auth = TlsClientAuth::required;
  rig.server_settings.client_ca_file = rig.ca;
  ASSERT_TRUE(rig.connect()) << rig.server.reason();
  EXPECT_EQ(rig.server.tls()->peer_subject(), "CN=balancer");
}

TEST(TlsClientContext, AFileThatIsNotThereIsNamed) {
  auto made = TlsClientContext::make({.ca_file = "/nowhere/ca.pem"});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "cannot read /nowhere/ca.pem: No such file or directory");
}

}  // namespace
}  // namespace lb
