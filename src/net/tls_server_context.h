// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "net/tls_context.h"
#include "net/tls_files.h"
#include "net/tls_ocsp.h"
#include "net/tls_session.h"
#include "net/tls_ticket_keys.h"

namespace lb {

enum class TlsClientAuth : unsigned char {
  off,
  optional,  // a certificate is asked for, and verified if one comes
  required,
};

// How a listener speaks TLS to clients.
struct TlsServerSettings {
  struct Certificate {
    std::string certificate_file;  // PEM, what links it to its authority behind it
    std::string key_file;
    std::string ocsp_file = {};  // DER, stapled; "" = none

    friend bool operator==(const Certificate&, const Certificate&) = default;
  };
  std::vector<Certificate> certificates;  // at least one; the first is the default
  bool tls13_only = false;                // else TLS 1.2 as well
  std::string ciphers;                    // of TLS 1.2; "" = Mozilla's intermediate profile
  std::vector<std::string> alpn;          // by preference; empty = ALPN is not answered
  TlsClientAuth client_auth = TlsClientAuth::off;
  std::string client_ca_file;  // PEM
  bool session_tickets = true;
  std::string name;  // tickets of one name are not good for another: the listener's

  friend bool operator==(const TlsServerSettings&, const TlsServerSettings&) = default;
};

// Makes the TLS of connections from clients, with the certificate that fits the name they ask for:
// those for exactly this name before wildcards, and of several (RSA and ECDSA, say) the one that
// the client can use. Who asks for no or another name gets the first one. Immutable; any thread.
class TlsServerContext final : public TlsOrigin,
                               public std::enable_shared_from_this<TlsServerContext> {
 public:
  // Reads the files. Blocking: control thread.
  static Result<std::shared_ptr<const TlsServerContext>> make(
      const TlsServerSettings& settings, std::shared_ptr<const TicketKeys> tickets);

  std::unique_ptr<TlsSession> accept(int fd) const;

 private:
  struct Callbacks;
  struct Loaded {
    KeyPair pair;
    OcspStaple ocsp;
  };

  explicit TlsServerContext(std::shared_ptr<const TicketKeys> tickets)
      : tickets_(std::move(tickets)) {}
  Status<> load(const TlsServerSettings& settings);
  Status<> group_by_name(const TlsServerSettings& settings);
  Result<TlsContextHandle> make_context(const TlsServerSettings& settings,
                                        const std::vector<size_t>& certificates);
  Status<> set_client_auth(ssl_ctx_st* context, const TlsServerSettings& settings) const;
  ssl_ctx_st* find(std::string_view server_name) const;

  const std::shared_ptr<const TicketKeys> tickets_;
  std::vector<Loaded> certificates_;
  std::vector<X509Handle> client_authorities_;
  std::string session_context_;
  std::string alpn_;
  TlsContextHandle default_;
  // By host name in lower case; a wildcard "*.example.com" as ".example.com".
  std::unordered_map<std::string, TlsContextHandle> by_name_;
};

// The TLS 1.2 ciphers of Mozilla's intermediate profile.
extern const char* const kIntermediateCiphers;
// What is wrong with a list of TLS 1.2 ciphers, if anything: also a single unknown name, which
// OpenSSL itself passes over.
Status<> check_ciphers(const std::string& ciphers);

}  // namespace lb
