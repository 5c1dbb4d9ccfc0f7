// SPDX-License-Identifier: MIT
#include "net/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "common/named_file.h"
#include "net/tls_error.h"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // in macros of OpenSSL

namespace lb {

namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioHandle = std::unique_ptr<BIO, BioFree>;

BioHandle memory(std::string_view bytes) {
  return BioHandle(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// Without one OpenSSL would ask at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string_view text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

}  // namespace

Result<std::string> read_tls_file(const std::string& file) {
  auto failed = [&file](const std::string& why) {
    return fail("cannot read " + file + ": " + why);
  };
  auto fd = open_named_file(file, FileUse::read);
  if (!fd) return failed(fd.error().message);
  std::string bytes;
  std::array<char, 16 * 1024> block;
  while (bytes.size() <= kMaxTlsFileBytes) {
    ssize_t count = ::read(fd->get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(strerror(errno));
    if (count == 0) return bytes;
    bytes.append(block.data(), static_cast<size_t>(count));
  }
  return fail(file + " is larger than 1 MiB");
}

Result<std::vector<X509Handle>> parse_certificates(std::string_view pem) {
  ERR_clear_error();
  BioHandle bio = memory(pem);
  std::vector<X509Handle> certificates;
  while (X509* certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, no_passphrase, nullptr)) {
    certificates.emplace_back(certificate, X509_free);
  }
  // Text that holds no further certificate ends in this error, any other is a broken one.
  bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  std::string error = tls_error();
  if (!is_end) return fail("holds a broken certificate: " + error);
  if (certificates.empty()) return fail("holds no certificate in PEM format");
  return certificates;
}

Result<PrivateKeyHandle> parse_private_key(std::string_view pem) {
  if (pem.find("PRIVATE KEY-----") == std::string_view::npos) {
    return fail("holds no private key in PEM format");
  }
  ERR_clear_error();
  EVP_PKEY* key = PEM_read_bio_PrivateKey(memory(pem).get(), nullptr, no_passphrase, nullptr);
  if (key != nullptr) return PrivateKeyHandle(key, EVP_PKEY_free);
  std::string error = tls_error();
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return fail("holds a key with a passphrase; lb needs it without one");
  }
  return fail("holds a broken private key: " + error);
}

bool is_key_of(const PrivateKeyHandle& key, const X509Handle& certificate) {
  bool same = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return same;
}

Result<KeyPair> read_key_pair(const std::string& certificate_file, const std::string& key_file) {
  auto certificate = read_tls_file(certificate_file);
  if (!certificate) return Unexpected{certificate.error()};
  auto chain = parse_certificates(*certificate);
  if (!chain) return fail(certificate_file + " " + chain.error().message);
  auto key_bytes = read_tls_file(key_file);
  if (!key_bytes) return Unexpected{key_bytes.error()};
  auto key = parse_private_key(*key_bytes);
  if (!key) return fail(key_file + " " + key.error().message);
  if (!is_key_of(*key, chain->front())) {
    return fail(key_file + " is not the key of the certificate " + certificate_file);
  }
  return KeyPair{std::move(*chain), std::move(*key)};
}

Status<> use_key_pair(ssl_ctx_st* context, const KeyPair& pair) {
  ERR_clear_error();
  STACK_OF(X509)* links = sk_X509_new_null();
  for (size_t i = 1; i < pair.chain.size(); ++i) sk_X509_push(links, pair.chain[i].get());
  int used = SSL_CTX_use_cert_and_key(context, pair.chain[0].get(), pair.key.get(), links, 1);
  sk_X509_free(links);
  if (used != 1) return fail("the certificate cannot be used: " + tls_error());
  return Done{};
}

Status<> check_usable(const X509Handle& certificate) {
  ERR_clear_error();
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                            SSL_CTX_free);
  if (SSL_CTX_use_certificate(context.get(), certificate.get()) == 1) return Done{};
  return fail(tls_error());
}

Validity validity_of(const X509Handle& certificate) {
  auto unix_time = [](const ASN1_TIME* time) {
    struct tm parts {};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? int64_t{timegm(&parts)} : 0;
  };
  return {unix_time(X509_get0_notBefore(certificate.get())),
          unix_time(X509_get0_notAfter(certificate.get()))};
}

Result<std::string> fingerprint(const std::vector<std::string>& files) {
  std::string all;
  for (const std::string& file : files) {
    auto bytes = file.empty() ? Result<std::string>(std::string()) : read_tls_file(file);
    if (!bytes) return bytes;
    all += std::to_string(bytes->size()) + ":" + *bytes;
  }
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EVP_Digest(all.data(), all.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
             EVP_sha256(), nullptr);
  digest.resize(size);
  OPENSSL_cleanse(all.data(), all.size());
  return digest;
}

std::vector<std::string> names_of(const X509Handle& certificate) {
  std::vector<std::string> names;
  auto* alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) names.push_back(lower(text_of(name->d.dNSName)));
  }
  GENERAL_NAMES_free(alternatives);
  if (!names.empty()) return names;
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    names.push_back(lower(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))));
  }
  return names;
}

}  // namespace lb
