// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/base64url.h"
#include "config/jwt.h"

namespace lb {

// A key that signs tokens, as an identity provider has it.
class JwtSigner {
 public:
  static JwtSigner secret(std::string bytes) { return JwtSigner(std::move(bytes)); }
  static JwtSigner rsa(unsigned bits = 2'048) {
    return JwtSigner(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{bits}));
  }
  static JwtSigner ec(const char* curve) {
    return JwtSigner(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
  }
  static JwtSigner edwards(const char* type) {
    return JwtSigner(EVP_PKEY_Q_keygen(nullptr, nullptr, type));
  }

  std::string sign(JwtAlgorithm algorithm, std::string_view bytes) const {
    if (algorithm <= JwtAlgorithm::hs512) return mac(hash_of(algorithm), bytes);
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                    EVP_MD_CTX_free);
    EVP_PKEY_CTX* settings = nullptr;
    EVP_DigestSignInit(context.get(), &settings, hash_of(algorithm), nullptr, key_.get());
    if (algorithm >= JwtAlgorithm::ps256 && algorithm <= JwtAlgorithm::ps512) {
      EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST);
    }
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, data, bytes.size());
    std::string signature(size, '\0');
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    if (EVP_DigestSign(context.get(), out, &size, data, bytes.size()) != 1) {
      throw std::runtime_error("cannot sign");
    }
    signature.resize(size);
    bool is_ecdsa = algorithm >= JwtAlgorithm::es256 && algorithm <= JwtAlgorithm::es512;
    return is_ecdsa ? raw(signature) : signature;
  }

  // The token with this header and these claims, as they are.
  std::string token(JwtAlgorithm algorithm, const std::string& header,
                    const std::string& claims) const {
    std::string bytes = encode_base64url(header) + "." + encode_base64url(claims);
    return bytes + "." + encode_base64url(sign(algorithm, bytes));
  }
  std::string token(JwtAlgorithm algorithm, const std::string& claims) const {
    return token(algorithm, R"({"alg":")" + std::string(to_string(algorithm)) + R"("})", claims);
  }

  std::string public_pem() const {
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PUBKEY(bio.get(), key_.get());
    char* data = nullptr;
    long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<size_t>(size)};
  }
  std::string private_pem() const {
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<size_t>(size)};
  }

  // The public key as a JWK; `more` are members such as `"kid":"a",`.
  std::string jwk(const std::string& more = "") const { return "{" + more + material() + "}"; }

 private:
  explicit JwtSigner(std::string secret) : secret_(std::move(secret)) {}
  explicit JwtSigner(EVP_PKEY* key) : key_(key, EVP_PKEY_free) {}

  static const EVP_MD* hash_of(JwtAlgorithm algorithm) {
    if (algorithm == JwtAlgorithm::eddsa) return nullptr;
    const EVP_MD* hashes[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
    return hashes[static_cast<size_t>(algorithm) % 3];
  }

  std::string mac(const EVP_MD* hash, std::string_view bytes) const {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(hash, secret_.data(), static_cast<int>(secret_.size()),
         reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out, &size);
    return {reinterpret_cast<char*>(out), size};
  }

  size_t coordinate() const { return (static_cast<size_t>(EVP_PKEY_get_bits(key_.get())) + 7) / 8; }

  // r || s.
  std::string raw(const std::string& der) const {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), ECDSA_SIG_free);
    return padded(ECDSA_SIG_get0_r(pair.get()), coordinate()) +
           padded(ECDSA_SIG_get0_s(pair.get()), coordinate());
  }

  static std::string padded(const BIGNUM* number, size_t size) {
    std::string bytes(size, '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size));
    return bytes;
  }

  std::string number(const char* name, size_t size = 0) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    if (size == 0) size = static_cast<size_t>(BN_num_bytes(value));
    std::string text = encode_base64url(padded(value, size));
    BN_free(value);
    return text;
  }

  std::string material() const {
    if (!key_) return R"("kty":"oct","k":")" + encode_base64url(secret_) + "\"";
    switch (EVP_PKEY_get_base_id(key_.get())) {
      case EVP_PKEY_RSA:
        return R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
               number(OSSL_PKEY_PARAM_RSA_E) + "\"";
      case EVP_PKEY_EC:
        return R"("kty":"EC","crv":"P-)" + std::to_string(EVP_PKEY_get_bits(key_.get())) +
               R"(","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, coordinate()) + R"(","y":")" +
               number(OSSL_PKEY_PARAM_EC_PUB_Y, coordinate()) + "\"";
      default: {
        unsigned char bytes[64];
        size_t size = sizeof(bytes);
        EVP_PKEY_get_raw_public_key(key_.get(), bytes, &size);
        const char* curve =
            EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519 ? "Ed25519" : "Ed448";
        return R"("kty":"OKP","crv":")" + std::string(curve) + R"(","x":")" +
               encode_base64url({reinterpret_cast<char*>(bytes), size}) + "\"";
      }
    }
  }

  std::string secret_;
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace lb
