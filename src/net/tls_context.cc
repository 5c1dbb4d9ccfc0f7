// SPDX-License-Identifier: MIT
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/address.h"
#include "net/tls_error.h"
#include "net/tls_files.h"
#include "net/tls_options.h"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // in macros of OpenSSL

namespace lb {

namespace {

Status<> load_authorities(SSL_CTX* context, const TlsClientSettings& settings) {
  if (!settings.verify) return Done{};
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (settings.ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return Done{};
    return fail("cannot read the certificate authorities of this system: " + tls_error());
  }
  auto bytes = read_tls_file(settings.ca_file);
  if (!bytes) return Unexpected{bytes.error()};
  auto authorities = parse_certificates(*bytes);
  if (!authorities) return fail(settings.ca_file + ": " + authorities.error().message);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const X509Handle& authority : *authorities) X509_STORE_add_cert(store, authority.get());
  return Done{};
}

Status<> load_own_certificate(SSL_CTX* context, const TlsClientSettings& settings) {
  if (settings.certificate_file.empty()) return Done{};
  auto pair = read_key_pair(settings.certificate_file, settings.key_file);
  if (!pair) return Unexpected{pair.error()};
  return use_key_pair(context, *pair);
}

}  // namespace

// What its connections know of where they come from.
struct TlsClientContext::Connection final : TlsOrigin {
  Connection(TlsContextHandle made_by, std::shared_ptr<TlsServerSessions> all, std::string server)
      : context(std::move(made_by)), sessions(std::move(all)), key(std::move(server)) {}

  static int keep_session(SSL* ssl, SSL_SESSION* session) {
    const auto& self = *static_cast<const Connection*>(SSL_get_app_data(ssl));
    self.sessions->keep(self.key, session);
    return 0;  // it stays OpenSSL's
  }
  void handshake_failed() const override {
    if (sessions) sessions->forget(key);
  }

  const TlsContextHandle context;
  const std::shared_ptr<TlsServerSessions> sessions;  // null where none are taken up
  const std::string key;
};

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::make(
    const TlsClientSettings& settings) {
  TlsContextHandle context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  set_common_options(context.get());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (settings.resumes_sessions) {
    SSL_CTX_set_session_cache_mode(context.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context.get(), Connection::keep_session);
  }
  if (auto loaded = load_authorities(context.get(), settings); !loaded) {
    return Unexpected{loaded.error()};
  }
  if (auto loaded = load_own_certificate(context.get(), settings); !loaded) {
    return Unexpected{loaded.error()};
  }
  std::string alpn = alpn_list(settings.alpn);
  if (!alpn.empty()) {
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
  }
  return std::shared_ptr<const TlsClientContext>(
      new TlsClientContext(settings, std::move(context)));
}

std::unique_ptr<TlsSession> TlsClientContext::open(int fd, std::string_view name,
                                                   std::string_view address) const {
  SSL* ssl = SSL_new(context_.get());
  SSL_set_connect_state(ssl);
  std::string known(settings_.server_name.empty() ? name : settings_.server_name);
  bool is_ip = Address::parse_ip(known, 0).has_value();
  if (!known.empty() && !is_ip) SSL_set_tlsext_host_name(ssl, known.c_str());
  if (!known.empty() && settings_.verify) {
    X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_ip) {
      X509_VERIFY_PARAM_set1_ip_asc(rules, known.c_str());
    } else {
      X509_VERIFY_PARAM_set1_host(rules, known.data(), known.size());
    }
  }
  // Whom a session was verified as belongs to it: it is not verified again.
  std::string key = settings_.resumes_sessions ? known + ' ' + std::string(address) : std::string();
  auto connection = std::make_shared<const Connection>(
      context_, settings_.resumes_sessions ? sessions_ : nullptr, std::move(key));
  SSL_set_app_data(ssl, const_cast<Connection*>(connection.get()));
  if (connection->sessions) connection->sessions->offer(connection->key, ssl);
  return std::make_unique<TlsSession>(ssl, fd, std::move(connection));
}

}  // namespace lb
