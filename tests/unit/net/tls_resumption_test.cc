// SPDX-License-Identifier: MIT
// Session tickets: who may resume what, and which keys open them.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>

#include "tls_rig.h"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // in macros of OpenSSL

namespace lb {
namespace {

// A client that keeps the newest session it was given.
class Resuming : public testing::TestWithParam<int> {
 protected:
  Resuming() : context(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context, GetParam());
  }
  ~Resuming() override {
    rig.client.close();
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
  }

  // Connects, with the session kept from before if there is one; true when that was taken up.
  bool resumes() {
    if (!rig.server_context) rig.make_server();
    auto [a, b] = TlsRig::stream_pair();
    SSL* ssl = SSL_new(context);
    SSL_set_connect_state(ssl);
    SSL_set_tlsext_host_name(ssl, "app.example");
    if (session != nullptr) SSL_set_session(ssl, session);
    auto tls = std::make_unique<TlsSession>(ssl, a.get(), nullptr);
    rig.client = Stream(std::move(a), std::move(tls));
    auto server_tls = rig.server_context->accept(b.get());
    rig.server = Stream(std::move(b), std::move(server_tls));
    EXPECT_TRUE(rig.shake_hands()) << rig.server.reason();
    rig.server.write("x");
    TlsRig::read_all(rig.client);  // tickets of TLS 1.3 come after the handshake
    EXPECT_EQ(rig.client.tls()->resumed(), rig.server.tls()->resumed());
    SSL_SESSION_free(session);
    session = SSL_get1_session(ssl);
    bool resumed = rig.client.tls()->resumed();
    rig.client.shutdown_write();  // else OpenSSL would not use the session again
    return resumed;
  }

  TlsRig rig;
  SSL_CTX* context;
  SSL_SESSION* session = nullptr;
};

TEST_P(Resuming, ATicketIsGoodAtEveryContextOfItsNameWithTheSameKeys) {
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
  rig.make_server();  // as after a reload
  EXPECT_TRUE(resumes());
}

TEST_P(Resuming, ATicketIsGoodUntilItsKeyIsGone) {
  EXPECT_FALSE(resumes());
  SSL_SESSION* first = session;
  SSL_SESSION_up_ref(first);
  rig.tickets->rotate();
  rig.tickets->rotate();
  EXPECT_TRUE(resumes());
  SSL_SESSION_free(session);
  session = first;
  rig.tickets->rotate();
  EXPECT_FALSE(resumes());
}

TEST_P(Resuming, ATicketOfAnOldKeyIsReplaced) {
  EXPECT_FALSE(resumes());
  rig.tickets->rotate();
  EXPECT_TRUE(resumes());
  rig.tickets->rotate();
  rig.tickets->rotate();
  EXPECT_TRUE(resumes()) << "the second connection brought a newer ticket";
}

TEST_P(Resuming, AnotherListenersTicketIsNotGood) {
  EXPECT_FALSE(resumes());
  rig.server_settings.name = "other";
  rig.make_server();
  EXPECT_FALSE(resumes());
}

TEST_P(Resuming, OtherAuthoritiesForClientsEndOldSessions) {
  rig.server_settings.client_auth = TlsClientAuth::optional;
  rig.server_settings.client_ca_file = rig.ca;
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
  rig.server_settings.client_ca_file =
      rig.files.write("other-ca.pem", TestAuthority("Other CA").certificate());
  rig.make_server();
  EXPECT_FALSE(resumes());
}

TEST_P(Resuming, WithoutTicketsNothingIsResumed) {
  rig.server_settings.session_tickets = false;
  EXPECT_FALSE(resumes());
  EXPECT_FALSE(resumes());
}

TEST_P(Resuming, KeysOfAFileAreGoodAtEveryProcessThatHasIt) {
  auto keys = TicketKeys::parse(std::string(80, 'k'));
  rig.tickets = std::make_shared<TicketKeys>(*keys);
  EXPECT_FALSE(resumes());
  rig.tickets = std::make_shared<TicketKeys>(*keys);
  rig.make_server();
  EXPECT_TRUE(resumes());
}

TEST_P(Resuming, KeysOf48BytesWorkToo) {
  rig.tickets = std::make_shared<TicketKeys>(*TicketKeys::parse(std::string(48, 'k')));
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
}

INSTANTIATE_TEST_SUITE_P(Rows, Resuming, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& row) {
                           return row.param == TLS1_2_VERSION ? "tls12" : "tls13";
                         });

// What this program as a client takes up with servers.
class ToServers : public testing::Test {
 protected:
  ToServers() {
    rig.client_settings.resumes_sessions = true;
    rig.client_context = TlsClientContext::make(rig.client_settings).value();
    rig.address = "10.0.0.1:443";
  }

  // Whether a new connection goes on with the session of an earlier one.
  bool resumes() {
    EXPECT_TRUE(rig.connect()) << rig.client.reason();
    rig.server.write("x");
    EXPECT_EQ(TlsRig::read_all(rig.client), "x");
    return rig.client.tls()->resumed();
  }

  TlsRig rig;
};

TEST_F(ToServers, ASessionIsTakenUpHoweverItsConnectionEnded) {
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
  rig.client.close();
  EXPECT_TRUE(resumes());
}

TEST_F(ToServers, ASessionBelongsToOneAddressAndOneName) {
  rig.server_settings.certificates = {rig.issue({.names = "DNS:a.example,DNS:b.example"}, "both")};
  rig.name = "a.example";
  EXPECT_FALSE(resumes());
  rig.name = "b.example";
  EXPECT_FALSE(resumes());
  rig.address = "10.0.0.2:443";
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
}

TEST_F(ToServers, AServerThatKnowsNothingOfASessionGetsAWholeHandshake) {
  EXPECT_FALSE(resumes());
  rig.tickets->rotate();
  rig.tickets->rotate();
  rig.tickets->rotate();
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
}

TEST_F(ToServers, ASessionWhoseHandshakeFailedIsForgotten) {
  EXPECT_FALSE(resumes());
  rig.open();
  rig.client.handshake();
  rig.server.close();
  EXPECT_EQ(rig.client.handshake().outcome, Outcome::failed);
  EXPECT_FALSE(resumes());
}

TEST_F(ToServers, ChecksVerifyEachTime) {
  rig.client_context = TlsClientContext::make({.ca_file = rig.ca}).value();
  EXPECT_FALSE(resumes());
  EXPECT_FALSE(resumes());
}

struct KeyFile {
  const char* what;
  std::string text;
  size_t keys;  // 0 = refused
};

class TicketKeyFiles : public testing::TestWithParam<KeyFile> {};

TEST_P(TicketKeyFiles, AreReadLineByLine) {
  auto keys = TicketKeys::parse(GetParam().text);
  EXPECT_EQ(keys ? keys->size() : 0, GetParam().keys);
}

std::string base64(size_t bytes) {
  std::string text(bytes / 3 * 4, 'A');
  if (bytes % 3 == 2) text += "AAA=";
  if (bytes % 3 == 1) text += "AA==";
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TicketKeyFiles,
    testing::Values(KeyFile{"one", base64(80) + "\n", 1}, KeyFile{"no_newline", base64(80), 1},
                    KeyFile{"two", base64(80) + "\r\n\n" + base64(48) + "\n", 2},
                    KeyFile{"raw", std::string(80, '\0'), 1}, KeyFile{"empty", "", 0},
                    KeyFile{"blank", "\n\n", 0}, KeyFile{"short", base64(47), 0},
                    KeyFile{"words", "not a key at all\n", 0},
                    KeyFile{"padding_only", "====\n", 0}),
    [](const auto& row) { return row.param.what; });

}  // namespace
}  // namespace lb
