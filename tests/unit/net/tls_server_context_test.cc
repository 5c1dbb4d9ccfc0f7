// SPDX-License-Identifier: MIT
#include "net/tls_server_context.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstring>

#include "net/socket.h"
#include "tls_rig.h"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // in macros of OpenSSL

namespace lb {
namespace {

struct Choice {
  const char* asked;
  const char* shown;  // the common name of the certificate
};

class TlsCertificateChoice : public testing::TestWithParam<Choice> {};

TEST_P(TlsCertificateChoice, FollowsTheNameThatIsAskedFor) {
  TlsRig rig;
  rig.server_settings.certificates = {
      rig.issue({.common_name = "first", .names = "DNS:first.example"}, "first"),
      rig.issue({.common_name = "wild", .names = "DNS:*.shop.example, DNS:shop.example"}, "wild"),
      rig.issue({.common_name = "exact", .names = "DNS:pay.shop.example"}, "exact"),
      rig.issue({.common_name = "cn.example"}, "cn"),
  };
  rig.client_settings.verify = false;
  rig.name = GetParam().asked;
  ASSERT_TRUE(rig.connect()) << rig.client.reason();
  EXPECT_EQ(rig.client.tls()->peer_subject(), std::string("CN=") + GetParam().shown);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TlsCertificateChoice,
    testing::Values(Choice{"", "first"}, Choice{"first.example", "first"},
                    Choice{"unknown.example", "first"}, Choice{"a.shop.example", "wild"},
                    Choice{"shop.example", "wild"}, Choice{"a.b.shop.example", "first"},
                    Choice{"pay.shop.example", "exact"}, Choice{"PAY.Shop.Example", "exact"},
                    Choice{".shop.example", "first"}, Choice{"cn.example", "cn.example"}));

// RSA and ECDSA side by side: the client's signature algorithms decide.
TEST(TlsServerContext, ServesTheKindOfKeyThatTheClientKnows) {
  for (bool rsa : {true, false}) {
    TlsRig rig;
    rig.server_settings.certificates = {
        rig.issue({.common_name = "ecdsa", .names = "DNS:app.example"}, "ec"),
        rig.issue({.common_name = "rsa", .names = "DNS:app.example", .rsa = true}, "rsa")};
    rig.make_server();
    auto [a, b] = TlsRig::stream_pair();
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set1_sigalgs_list(context, rsa ? "RSA-PSS+SHA256" : "ECDSA+SHA256");
    SSL* ssl = SSL_new(context);
    SSL_set_connect_state(ssl);
    SSL_set_tlsext_host_name(ssl, "app.example");
    auto tls = std::make_unique<TlsSession>(ssl, a.get(), nullptr);
    rig.client = Stream(std::move(a), std::move(tls));
    auto server_tls = rig.server_context->accept(b.get());
    rig.server = Stream(std::move(b), std::move(server_tls));
    ASSERT_TRUE(rig.shake_hands()) << rig.server.reason();
    EXPECT_EQ(rig.client.tls()->peer_subject(), rsa ? "CN=rsa" : "CN=ecdsa");
    SSL_CTX_free(context);
  }
}

TEST(TlsServerContext, ProtocolsWithoutAnyInCommonAreRefused) {
  TlsRig rig;
  rig.server_settings.alpn = {"http/1.1"};
  rig.client_settings.alpn = {"smtp"};
  EXPECT_FALSE(rig.connect());
  EXPECT_EQ(rig.server.reason(), "no application protocol");
}

TEST(TlsServerContext, ItsOwnPreferenceAmongProtocolsCounts) {
  TlsRig rig;
  rig.server_settings.alpn = {"h2", "http/1.1"};
  rig.client_settings.alpn = {"http/1.1", "h2"};
  ASSERT_TRUE(rig.connect());
  EXPECT_EQ(rig.client.tls()->alpn(), "h2");
}

TEST(TlsServerContext, AClientWithoutACertificateIsRefusedWhereItIsRequired) {
  for (auto mode : {TlsClientAuth::required, TlsClientAuth::optional}) {
    TlsRig rig;
    rig.server_settings.client_auth = mode;
    rig.server_settings.client_ca_file = rig.ca;
    EXPECT_EQ(rig.connect(), mode == TlsClientAuth::optional);
    if (mode == TlsClientAuth::required) {
      EXPECT_EQ(rig.server.reason(), "peer did not return a certificate");
    }
  }
}

TEST(TlsServerContext, AStrangersCertificateIsRefusedEvenWhereNoneIsRequired) {
  TlsRig rig;
  TestCertificate stranger = TestAuthority("Other CA").issue({});
  rig.client_settings.certificate_file = rig.files.write("s.pem", stranger.certificate);
  rig.client_settings.key_file = rig.files.write("s.key", stranger.key);
  rig.server_settings.client_auth = TlsClientAuth::optional;
  rig.server_settings.client_ca_file = rig.ca;
  EXPECT_FALSE(rig.connect());
  EXPECT_EQ(rig.server.reason(),
            "certificate verification failed: unable to get local issuer certificate");
}

TEST(TlsServerContext, AClientThatSpeaksPlainTextIsToldApart) {
  TlsRig rig;
  rig.open();
  ASSERT_GT(send(rig.client.fd(), "GET / HTTP/1.1\r\n\r\n", 18, 0), 0);
  EXPECT_EQ(rig.server.handshake().outcome, Outcome::failed);
  EXPECT_EQ(rig.server.reason(), "http request");
  EXPECT_FALSE(has_unread(rig.server.fd())) << "closing would reset the connection";
}

struct Unusable {
  const char* what;
  const char* certificate;
  const char* key;
  const char* reason;  // "%" = the directory
};

class TlsUnusableFiles : public testing::TestWithParam<Unusable> {};

TEST_P(TlsUnusableFiles, AreNamedWithTheReason) {
  TlsRig rig;
  rig.issue({}, "good");
  rig.issue({}, "other");
  rig.files.write("empty", "");
  rig.files.write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  rig.files.write("locked.key",
                  "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE "
                  "KEY-----\n");
  rig.server_settings.certificates = {
      {rig.files.path(GetParam().certificate), rig.files.path(GetParam().key), ""}};
  auto made = TlsServerContext::make(rig.server_settings, rig.tickets);
  ASSERT_FALSE(made);
  std::string reason = made.error().message;
  std::string directory = rig.files.directory().native() + "/";
  for (size_t at; (at = reason.find(directory)) != std::string::npos;) {
    reason.replace(at, directory.size(), "%");
  }
  EXPECT_EQ(reason, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TlsUnusableFiles,
    testing::Values(
        Unusable{"absent", "absent.pem", "good.key",
                 "cannot read %absent.pem: No such file or directory"},
        Unusable{"directory", ".", "good.key", "cannot read %.: Is a directory"},
        Unusable{"empty", "empty", "good.key", "%empty holds no certificate in PEM format"},
        Unusable{"a_key", "good.key", "good.key", "%good.key holds no certificate in PEM format"},
        Unusable{"broken", "broken", "good.key", "%broken holds a broken certificate: wrong tag"},
        Unusable{"no_key", "good.pem", "good.pem", "%good.pem holds no private key in PEM format"},
        Unusable{"locked", "good.pem", "locked.key",
                 "%locked.key holds a key with a passphrase; lb needs it without one"},
        Unusable{"other_key", "good.pem", "other.key",
                 "%other.key is not the key of the certificate %good.pem"}),
    [](const auto& row) { return row.param.what; });

struct Ciphers {
  const char* list;
  const char* reason;
};

class TlsCiphers : public testing::TestWithParam<Ciphers> {};

TEST_P(TlsCiphers, AreCheckedOneByOne) {
  auto checked = check_ciphers(GetParam().list);
  EXPECT_EQ(checked ? "" : checked.error().message, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TlsCiphers,
    testing::Values(
        Ciphers{kIntermediateCiphers, ""}, Ciphers{"HIGH:!aNULL:!MD5", ""},
        Ciphers{"ECDHE-RSA-AES128-GCM-SHA256:@STRENGTH", ""}, Ciphers{"ECDHE+AESGCM", ""},
        Ciphers{"ECDHE-RSA-AES128-GCM-SHA256:AES-NONSENSE",
                "'AES-NONSENSE' is no cipher that OpenSSL knows (openssl ciphers lists them)"},
        Ciphers{"TLS_AES_128_GCM_SHA256",
                "'TLS_AES_128_GCM_SHA256' is of TLS 1.3, whose ciphers are not chosen; this list "
                "is of 1.2"},
        Ciphers{"AES256-SHA:!AES", "no cipher is left: no cipher match"}));

TEST(TlsServerContext, KnowsARequestInClearByItsFirstWord) {
  struct Row {
    const char* said;
    bool is_http;
  };
  for (const Row& row :
       {Row{"GET / HTTP/1.1\r\n\r\n", true}, Row{"OPTIONS * HTTP/1.1\r\n", true},
        Row{"M-SEARCH / HTTP/1.1\r\n", true}, Row{"PRI * HTTP/2.0\r\n\r\nSM", true},
        Row{"SSH-2.0-OpenSSH_9.2\r\n", false}, Row{"get / http/1.1\r\n", false},
        Row{"GO away\r\n", false}, Row{"          ", false}, Row{"ABCDEFGHIJKLMNOPQ /", false}}) {
    TlsRig rig;
    rig.make_server();
    auto [client, server] = TlsRig::stream_pair();
    auto session = rig.server_context->accept(server.get());
    ASSERT_GT(send(client.get(), row.said, strlen(row.said), 0), 0);
    EXPECT_EQ(session->handshake().outcome, Outcome::failed) << row.said;
    EXPECT_EQ(session->heard_http(), row.is_http) << row.said;
  }
}

}  // namespace
}  // namespace lb
