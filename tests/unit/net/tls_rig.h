// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "../certificates.h"
#include "../loopback.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "net/tls_server_context.h"

namespace lb {

using Outcome = Transfer::Outcome;

// Certificates of one authority, a client and a server joined by a pair of sockets.
struct TlsRig {
  TestFiles files;
  TestAuthority authority;
  std::string ca = files.write("ca.pem", authority.certificate());
  std::shared_ptr<TicketKeys> tickets = std::make_shared<TicketKeys>();
  TlsServerSettings server_settings;
  TlsClientSettings client_settings{.ca_file = ca};
  std::string name = "app.example";  // what the client asks for
  std::string address;               // where it believes the server to be
  std::shared_ptr<const TlsServerContext> server_context;
  std::shared_ptr<const TlsClientContext> client_context;  // null = a new one each time
  Stream client;
  Stream server;

  TlsServerSettings::Certificate issue(const TestCertificateOptions& options,
                                       const std::string& file) {
    TestCertificate issued = authority.issue(options);
    return {files.write(file + ".pem", issued.certificate), files.write(file + ".key", issued.key),
            ""};
  }

  TlsRig() {
    server_settings.certificates = {issue({.names = "DNS:app.example"}, "app")};
    server_settings.name = "web";
  }

  void make_server() { server_context = TlsServerContext::make(server_settings, tickets).value(); }

  // A pair of streams that have not shaken hands yet.
  void open() {
    if (!server_context) make_server();
    auto [a, b] = stream_pair();
    auto context =
        client_context ? client_context : TlsClientContext::make(client_settings).value();
    auto client_tls = context->open(a.get(), name, address);
    auto server_tls = server_context->accept(b.get());
    client = Stream(std::move(a), std::move(client_tls));
    server = Stream(std::move(b), std::move(server_tls));
  }

  // Both ends in turn until both are through, or one has failed.
  bool shake_hands() {
    auto at_client = Outcome::wants_read, at_server = Outcome::wants_read;
    while (at_client != Outcome::failed && at_server != Outcome::failed &&
           (at_client != Outcome::done || at_server != Outcome::done)) {
      if (at_client != Outcome::done) at_client = client.handshake().outcome;
      if (at_server != Outcome::done) at_server = server.handshake().outcome;
    }
    if (at_server == Outcome::failed) client.handshake();  // for its reason
    return at_client == Outcome::done && at_server == Outcome::done;
  }

  bool connect() {
    open();
    return shake_hands();
  }

  static std::pair<Fd, Fd> stream_pair() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
    return {Fd(fds[0]), Fd(fds[1])};
  }

  // Everything that can be read now.
  static std::string read_all(Stream& stream) {
    std::string bytes;
    std::array<char, 4096> block;
    for (;;) {
      Transfer transfer = stream.read(block);
      if (transfer.outcome != Outcome::done) return bytes;
      bytes.append(block.data(), transfer.bytes);
    }
  }
};

}  // namespace lb
