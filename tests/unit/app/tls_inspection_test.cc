// SPDX-License-Identifier: MIT
#include "app/tls_inspection.h"

#include <gtest/gtest.h>

#include "../certificates.h"
#include "config/loader.h"

namespace lb {
namespace {

// A file whose listener has this `tls`, with the files that it names.
class TlsFiles : public testing::Test {
 protected:
  TlsFiles() {
    auto write = [this](const std::string& name, const TestCertificate& issued) {
      files.write(name + ".pem", issued.certificate);
      files.write(name + ".key", issued.key);
    };
    write("good", authority.issue({.names = "DNS:a.example"}));
    write("other", authority.issue({.names = "DNS:a.example"}));
    write("old", authority.issue({.names = "DNS:a.example", .days = -3}));
    files.write("ca.pem", authority.certificate());
    files.write("junk", "no certificate at all\n");
  }

  // All problems, a line each; then all warnings.
  std::string problems(const std::string& tls, const std::string& pool = "") {
    std::string yaml = "listeners: {a: {address: ':80', pool: db, tls: {" + tls + "}}}\n" +
                       "pools: {db: {servers: ['10.0.0.1:5432']" +
                       (pool.empty() ? "" : ", tls: {" + pool + "}") + "}}\n";
    auto loaded = load_config_text(yaml, files.directory(), &tls_inspector());
    std::string text;
    for (const ConfigProblem& problem : loaded ? loaded->warnings : loaded.error()) {
      text += (loaded ? "warning " : "") + problem.to_string("f") + "\n";
    }
    std::string directory = files.directory().native() + "/";
    for (size_t at; (at = text.find(directory)) != std::string::npos;) {
      text.erase(at, directory.size());
    }
    return text;
  }

  TestFiles files;
  TestAuthority authority;
};

TEST_F(TlsFiles, GoodOnesPass) {
  EXPECT_EQ(problems("certificates: [{certificate: good.pem, key: good.key}], client_auth: {ca: "
                     "ca.pem}, ciphers: 'ECDHE+AESGCM'",
                     "ca: ca.pem, certificate: good.pem, key: good.key"),
            "");
}

TEST_F(TlsFiles, AKeyThatDoesNotFitIsReportedAtTheKey) {
  EXPECT_EQ(problems("certificates: [{certificate: good.pem, key: other.key}]"),
            "f:1:93: listeners.a.tls.certificates[0].key: other.key does not fit the certificate: "
            "it is the key of another one\n");
}

TEST_F(TlsFiles, AnExpiredCertificateIsAWarning) {
  std::string text = problems("certificates: [{certificate: old.pem, key: old.key}]");
  EXPECT_EQ(text.find("warning f:1:78: listeners.a.tls.certificates[0].certificate: old.pem "
                      "expired on "),
            0u)
      << text;
}

TEST_F(TlsFiles, EverythingWrongIsFoundInOneRun) {
  std::string text = problems(
      "certificates: [{certificate: junk, key: junk}, {certificate: good.pem, key: good.key, ocsp: "
      "junk}], ciphers: AES-NONSENSE, client_auth: {ca: junk}, ticket_keys: junk",
      "ca: junk");
  for (const char* part : {"certificates[0].certificate: junk holds no certificate in PEM format\n",
                           "certificates[0].key: junk holds no private key in PEM format\n",
                           "certificates[1].ocsp: junk holds no OCSP response in DER format",
                           "ciphers: 'AES-NONSENSE' is no cipher that OpenSSL knows",
                           "client_auth.ca: junk holds no certificate in PEM format\n",
                           "ticket_keys: junk line 1 is no ticket key",
                           "pools.db.tls.ca: junk holds no certificate in PEM format\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
  }
}

}  // namespace
}  // namespace lb
