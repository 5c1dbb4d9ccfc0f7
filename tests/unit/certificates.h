// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lb {

// A directory that is gone at the end, and files in it.
class TestFiles {
 public:
  TestFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lb-test-XXXXXX").native();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = pattern;
  }
  ~TestFiles() { std::filesystem::remove_all(directory_); }
  TestFiles(const TestFiles&) = delete;
  TestFiles& operator=(const TestFiles&) = delete;

  const std::filesystem::path& directory() const { return directory_; }
  std::string path(const std::string& name) const { return (directory_ / name).native(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path directory_;
};

// A certificate and its key, both as PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

struct TestCertificateOptions {
  std::string common_name = "test";
  // As OpenSSL writes them: "DNS:app.example, IP:127.0.0.1".
  std::string names = {};
  bool rsa = false;  // else ECDSA
  long days = 30;    // negative: expired
  bool authority = false;
};

// A certificate authority that lives as long as its test.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "Test CA")
      : key_(make_key(false)),
        certificate_(make({.common_name = name, .authority = true}, key_.get(), nullptr, nullptr)) {
  }

  std::string certificate() const {
    return pem([this](BIO* bio) { PEM_write_bio_X509(bio, certificate_.get()); });
  }

  TestCertificate issue(const TestCertificateOptions& options) const {
    Key key = make_key(options.rsa);
    Certificate made = make(options, key.get(), certificate_.get(), key_.get());
    return {pem([&](BIO* bio) { PEM_write_bio_X509(bio, made.get()); }), pem([&](BIO* bio) {
              PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
            })};
  }

 private:
  using Key = std::shared_ptr<EVP_PKEY>;
  using Certificate = std::shared_ptr<X509>;

  static Key make_key(bool rsa) {
    EVP_PKEY* key = rsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048})
                        : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    return {key, EVP_PKEY_free};
  }

  static void add(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("bad extension " + value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static Certificate make(const TestCertificateOptions& options, EVP_PKEY* key, X509* issuer,
                          EVP_PKEY* issuer_key) {
    static long serial = 1;
    Certificate certificate(X509_new(), X509_free);
    X509* it = certificate.get();
    X509_set_version(it, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(it), serial++);
    constexpr long kDay = 24L * 3600;
    X509_gmtime_adj(X509_getm_notBefore(it), (options.days < 0 ? options.days - 1 : -1) * kDay);
    X509_gmtime_adj(X509_getm_notAfter(it), options.days * kDay);
    X509_NAME* name = X509_get_subject_name(it);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.common_name.c_str()),
                               -1, -1, 0);
    X509_set_issuer_name(it, X509_get_subject_name(issuer == nullptr ? it : issuer));
    X509_set_pubkey(it, key);
    X509* signer = issuer == nullptr ? it : issuer;
    add(it, signer, NID_basic_constraints, options.authority ? "critical,CA:TRUE" : "CA:FALSE");
    add(it, signer, NID_subject_key_identifier, "hash");
    if (!options.names.empty()) add(it, signer, NID_subject_alt_name, options.names);
    X509_sign(it, issuer_key == nullptr ? key : issuer_key, EVP_sha256());
    return certificate;
  }

  template <typename Write>
  static std::string pem(Write write) {
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    write(bio.get());
    char* bytes = nullptr;
    auto size = static_cast<size_t>(BIO_get_mem_data(bio.get(), &bytes));
    return {bytes, size};
  }

  Key key_;
  Certificate certificate_;
};

}  // namespace lb
