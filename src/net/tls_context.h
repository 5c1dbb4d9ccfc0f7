// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "net/tls_server_sessions.h"
#include "net/tls_session.h"

struct ssl_ctx_st;

namespace lb {

// An SSL_CTX, freed with its last owner.
using TlsContextHandle = std::shared_ptr<ssl_ctx_st>;

// How this program speaks TLS to servers.
struct TlsClientSettings {
  bool verify = true;                 // the chain, and that the certificate names the server
  std::string ca_file = {};           // PEM; "" = the certificate authorities of this system
  std::string server_name = {};       // for SNI and verification; "" = what open() is told
  std::string certificate_file = {};  // PEM, shown when the server asks; with key_file
  std::string key_file = {};
  std::vector<std::string> alpn = {};  // by preference; empty = none offered
  bool resumes_sessions = false;       // one connection goes on where an earlier one has been

  friend bool operator==(const TlsClientSettings&, const TlsClientSettings&) = default;
};

// Makes the TLS of connections to servers. Immutable; any thread.
class TlsClientContext {
 public:
  // Reads the files. Blocking: control thread.
  static Result<std::shared_ptr<const TlsClientContext>> make(const TlsClientSettings& settings);

  // For a connection (connected, or still connecting) to the server called `name`: a host name, or
  // an IP address without port, which is verified as an address and not sent as SNI. The name of
  // the settings wins; without any name, only the chain is verified. Sessions are those of one
  // `address`, with its port.
  std::unique_ptr<TlsSession> open(int fd, std::string_view name,
                                   std::string_view address = {}) const;

 private:
  struct Connection;

  TlsClientContext(TlsClientSettings settings, TlsContextHandle context)
      : settings_(std::move(settings)), context_(std::move(context)) {}

  const TlsClientSettings settings_;
  const TlsContextHandle context_;
  const std::shared_ptr<TlsServerSessions> sessions_ = std::make_shared<TlsServerSessions>();
};

}  // namespace lb
