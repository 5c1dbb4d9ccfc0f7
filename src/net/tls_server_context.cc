// SPDX-License-Identifier: MIT
#include "net/tls_server_context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "net/client_hello.h"
#include "net/tls_error.h"
#include "net/tls_options.h"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // in macros of OpenSSL

namespace lb {

namespace {

// With three keys that are replaced every half of it, a ticket can be opened for its whole life.
constexpr long kSessionLife_s = 24L * 3600;
constexpr const char* kGroups = "X25519:P-256:P-384";

}  // namespace

const char* const kIntermediateCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

// What OpenSSL asks during a handshake. Each context's application data is its TlsServerContext.
struct TlsServerContext::Callbacks {
  static const TlsServerContext& owner(SSL* ssl) {
    return *static_cast<const TlsServerContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  static int choose_certificate(SSL* ssl, int*, void*) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) SSL_set_SSL_CTX(ssl, owner(ssl).find(name));
    return SSL_TLSEXT_ERR_OK;
  }

  static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void*) {
    const std::string& ours = owner(ssl).alpn_;
    unsigned char* chosen = nullptr;
    int result = SSL_select_next_proto(&chosen, out_size,
                                       reinterpret_cast<const unsigned char*>(ours.data()),
                                       static_cast<unsigned>(ours.size()), in, in_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static int staple(SSL* ssl, void*) {
    const X509* shown = SSL_get_certificate(ssl);
    for (const Loaded& loaded : owner(ssl).certificates_) {
      if (loaded.pair.chain[0].get() != shown) continue;
      const std::string& der = loaded.ocsp.der;
      if (der.empty() || time(nullptr) >= loaded.ocsp.until_s) break;
      auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(der.data(), der.size()));
      SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(der.size()));
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  static bool set_keys(const TicketKeys::Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, bool is_sealing) {
    char digest[] = "SHA256";
    size_t hmac_size = key.is_short ? 16 : key.hmac.size();
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
                                          const_cast<unsigned char*>(key.hmac.data()), hmac_size),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    const EVP_CIPHER* algorithm = key.is_short ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
    return EVP_MAC_CTX_set_params(mac, parameters) == 1 &&
           EVP_CipherInit_ex(cipher, algorithm, nullptr, key.aes.data(), iv, is_sealing ? 1 : 0) ==
               1;
  }

  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac, int is_sealing) {
    constexpr int kFailed = -1, kUnknown = 0, kUsed = 1, kUsedRenew = 2;
    const TicketKeys& keys = *owner(ssl).tickets_;
    if (is_sealing != 0) {
      TicketKeys::Key key = keys.sealing();
      if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return kFailed;
      std::memcpy(name, key.name.data(), key.name.size());
      return set_keys(key, iv, cipher, mac, true) ? kUsed : kFailed;
    }
    auto found = keys.find(name);
    if (!found) return kUnknown;
    if (!set_keys(found->key, iv, cipher, mac, false)) return kFailed;
    // Clients use a ticket of TLS 1.3 once, so they need another one (RFC 8446, appendix C.4).
    bool is_single_use = SSL_version(ssl) == TLS1_3_VERSION;
    return found->is_sealing && !is_single_use ? kUsed : kUsedRenew;
  }
};

Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::make(
    const TlsServerSettings& settings, std::shared_ptr<const TicketKeys> tickets) {
  std::shared_ptr<TlsServerContext> made(new TlsServerContext(std::move(tickets)));
  if (auto loaded = made->load(settings); !loaded) return Unexpected{loaded.error()};
  return std::shared_ptr<const TlsServerContext>(std::move(made));
}

std::unique_ptr<TlsSession> TlsServerContext::accept(int fd) const {
  SSL* ssl = SSL_new(default_.get());
  SSL_set_accept_state(ssl);
  return std::make_unique<TlsSession>(ssl, fd, shared_from_this());
}

Status<> TlsServerContext::load(const TlsServerSettings& settings) {
  for (const TlsServerSettings::Certificate& files : settings.certificates) {
    auto pair = read_key_pair(files.certificate_file, files.key_file);
    if (!pair) return Unexpected{pair.error()};
    Loaded loaded{.pair = std::move(*pair), .ocsp = {}};
    if (!files.ocsp_file.empty()) {
      auto der = read_tls_file(files.ocsp_file);
      if (!der) return Unexpected{der.error()};
      auto staple = parse_ocsp(*der, loaded.pair.chain[0]);
      if (!staple) return fail(files.ocsp_file + " " + staple.error().message);
      loaded.ocsp = std::move(*staple);
    }
    certificates_.push_back(std::move(loaded));
  }
  session_context_ = settings.name;
  if (settings.client_auth != TlsClientAuth::off) {
    auto bytes = read_tls_file(settings.client_ca_file);
    if (!bytes) return Unexpected{bytes.error()};
    auto authorities = parse_certificates(*bytes);
    if (!authorities) return fail(settings.client_ca_file + " " + authorities.error().message);
    client_authorities_ = std::move(*authorities);
    // Who was admitted by other authorities begins anew.
    session_context_ += '\n' + *bytes;
  }
  alpn_ = alpn_list(settings.alpn);
  return group_by_name(settings);
}

// One context for each set of certificates that share a name.
Status<> TlsServerContext::group_by_name(const TlsServerSettings& settings) {
  std::map<std::string, std::vector<size_t>> certificates_of;
  for (size_t i = 0; i < certificates_.size(); ++i) {
    for (std::string& name : names_of(certificates_[i].pair.chain[0])) {
      if (name.starts_with("*.")) name.erase(0, 1);
      auto& list = certificates_of[name];
      if (list.empty() || list.back() != i) list.push_back(i);
    }
  }
  std::map<std::vector<size_t>, TlsContextHandle> contexts;
  for (const auto& [name, list] : certificates_of) {
    TlsContextHandle& context = contexts[list];
    if (!context) {
      auto made = make_context(settings, list);
      if (!made) return Unexpected{made.error()};
      context = std::move(*made);
    }
    by_name_[name] = context;
  }
  // What stands beside the first one for its name stands beside it as the default.
  auto names = names_of(certificates_[0].pair.chain[0]);
  if (!names.empty()) {
    std::string name = names[0].starts_with("*.") ? names[0].substr(1) : names[0];
    default_ = by_name_.at(name);
    return Done{};
  }
  auto made = make_context(settings, {0});
  if (!made) return Unexpected{made.error()};
  default_ = std::move(*made);
  return Done{};
}

Result<TlsContextHandle> TlsServerContext::make_context(const TlsServerSettings& settings,
                                                        const std::vector<size_t>& certificates) {
  TlsContextHandle handle(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX* context = handle.get();
  set_common_options(context);
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   (settings.session_tickets ? 0 : SSL_OP_NO_TICKET));
  SSL_CTX_set_min_proto_version(context, settings.tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION);
  const char* ciphers = settings.ciphers.empty() ? kIntermediateCiphers : settings.ciphers.c_str();
  if (SSL_CTX_set_cipher_list(context, ciphers) != 1) return fail("ciphers: " + tls_error());
  SSL_CTX_set1_groups_list(context, kGroups);
  SSL_CTX_set_dh_auto(context, 1);
  // Backwards, since of each kind of key the last one counts.
  for (auto it = certificates.rbegin(); it != certificates.rend(); ++it) {
    if (auto used = use_key_pair(context, certificates_[*it].pair); !used) {
      return fail(settings.certificates[*it].certificate_file + ": " + used.error().message);
    }
  }
  if (auto set = set_client_auth(context, settings); !set) return Unexpected{set.error()};
  // Sessions live in tickets alone: OpenSSL's cache takes a lock.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, settings.session_tickets ? 1 : 0);
  SSL_CTX_set_timeout(context, kSessionLife_s);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, Callbacks::ticket_key);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(session_context_.data(), session_context_.size(), digest.data(), &size, EVP_sha256(),
             nullptr);
  SSL_CTX_set_session_id_context(context, digest.data(), size);
  SSL_CTX_set_tlsext_servername_callback(context, Callbacks::choose_certificate);
  SSL_CTX_set_tlsext_status_cb(context, Callbacks::staple);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context, Callbacks::choose_protocol, nullptr);
  return handle;
}

Status<> TlsServerContext::set_client_auth(ssl_ctx_st* context,
                                           const TlsServerSettings& settings) const {
  if (settings.client_auth == TlsClientAuth::off) return Done{};
  bool is_required = settings.client_auth == TlsClientAuth::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const X509Handle& authority : client_authorities_) {
    X509_STORE_add_cert(store, authority.get());
    SSL_CTX_add_client_CA(context, authority.get());
  }
  return Done{};
}

ssl_ctx_st* TlsServerContext::find(std::string_view server_name) const {
  std::string name = comparable_name(server_name);
  auto found = by_name_.find(name);
  // A wildcard stands for one label; ".example.com" is none that a client may ask for.
  size_t dot = name.find('.');
  bool is_exact = found != by_name_.end() && dot != 0;
  if (is_exact) return found->second.get();
  if (dot != 0 && dot != std::string::npos) {
    found = by_name_.find(name.substr(dot));
    if (found != by_name_.end()) return found->second.get();
  }
  return default_.get();
}

Status<> check_ciphers(const std::string& ciphers) {
  TlsContextHandle context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  std::string_view rest = ciphers;
  while (!rest.empty()) {
    size_t end = std::min(rest.find_first_of(": ,"), rest.size());
    std::string item(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (item.empty() || item.starts_with('@')) continue;
    std::string name = item.substr(item.find_first_not_of("!+-") == 1 ? 1 : 0);
    if (SSL_CTX_set_cipher_list(context.get(), name.c_str()) == 1) continue;
    ERR_clear_error();
    if (name.starts_with("TLS_")) {
      return fail("'" + name +
                  "' is of TLS 1.3, whose ciphers are not chosen; this list is of 1.2");
    }
    return fail("'" + name + "' is no cipher that OpenSSL knows (openssl ciphers lists them)");
  }
  if (SSL_CTX_set_cipher_list(context.get(), ciphers.c_str()) == 1) return Done{};
  return fail("no cipher is left: " + tls_error());
}

}  // namespace lb
