// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;

namespace lb {

// Certificates and keys as files hold them. Blocking: control thread.

using X509Handle = std::shared_ptr<x509_st>;
using PrivateKeyHandle = std::shared_ptr<evp_pkey_st>;

inline constexpr size_t kMaxTlsFileBytes = 1'048'576;

// A certificate, what links it to its authority, and its private key.
struct KeyPair {
  std::vector<X509Handle> chain;  // the certificate itself first
  PrivateKeyHandle key;
};

// The bytes of a file of at most 1 MiB; the error names the file.
Result<std::string> read_tls_file(const std::string& file);

// The certificates of a PEM text, at least one.
Result<std::vector<X509Handle>> parse_certificates(std::string_view pem);
// The private key of a PEM text, not encrypted.
Result<PrivateKeyHandle> parse_private_key(std::string_view pem);
// Whether the certificate was made for this key.
bool is_key_of(const PrivateKeyHandle& key, const X509Handle& certificate);

// Both from files; the errors name the file.
Result<KeyPair> read_key_pair(const std::string& certificate_file, const std::string& key_file);
Status<> use_key_pair(ssl_ctx_st* context, const KeyPair& pair);

// Why TLS would refuse a certificate as one's own (a key that is too small, say), if it would.
Status<> check_usable(const X509Handle& certificate);

// When a certificate begins and ceases to be valid, as Unix time.
struct Validity {
  int64_t from_s = 0;
  int64_t until_s = 0;
};
Validity validity_of(const X509Handle& certificate);

// One value for the bytes of these files; "" stands for no file, and one that cannot be read is an
// error.
Result<std::string> fingerprint(const std::vector<std::string>& files);

// The host names that a certificate is for, in lower case: its DNS names, or without any its common
// name.
std::vector<std::string> names_of(const X509Handle& certificate);

}  // namespace lb
