// SPDX-License-Identifier: MIT
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <array>
#include <memory>
#include <string>

#include "l7/jwt_keys.h"

namespace lb {

namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

const EVP_MD* hash_of(JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::hs256:
    case JwtAlgorithm::rs256:
    case JwtAlgorithm::ps256:
    case JwtAlgorithm::es256:
      return EVP_sha256();
    case JwtAlgorithm::hs384:
    case JwtAlgorithm::rs384:
    case JwtAlgorithm::ps384:
    case JwtAlgorithm::es384:
      return EVP_sha384();
    case JwtAlgorithm::hs512:
    case JwtAlgorithm::rs512:
    case JwtAlgorithm::ps512:
    case JwtAlgorithm::es512:
      return EVP_sha512();
    case JwtAlgorithm::eddsa:
      break;
  }
  return nullptr;  // it hashes by itself
}

bool is_pss(JwtAlgorithm algorithm) {
  return algorithm >= JwtAlgorithm::ps256 && algorithm <= JwtAlgorithm::ps512;
}

// Of r and of s.
size_t coordinate_size(JwtKey::Type type) {
  switch (type) {
    case JwtKey::Type::p256:
      return 32;
    case JwtKey::Type::p384:
      return 48;
    case JwtKey::Type::p521:
      return 66;
    default:
      return 0;
  }
}

// JOSE writes r and s one after the other in full length (RFC 7518, 3.4), OpenSSL wants DER.
// Nothing where the length is not that of the curve.
std::string to_der(std::string_view raw, size_t size) {
  if (raw.size() != 2 * size) return {};
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(ECDSA_SIG_new(), ECDSA_SIG_free);
  int half = static_cast<int>(size);
  BIGNUM* r = BN_bin2bn(bytes_of(raw), half, nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(raw) + size, half, nullptr);
  ECDSA_SIG_set0(pair.get(), r, s);
  unsigned char* der = nullptr;
  int length = i2d_ECDSA_SIG(pair.get(), &der);
  if (length <= 0) return {};
  std::string result(reinterpret_cast<char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return result;
}

bool verify_mac(JwtAlgorithm algorithm, const JwtKey& key, std::string_view bytes,
                std::string_view signature) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  bool made = HMAC(hash_of(algorithm), key.secret.data(), static_cast<int>(key.secret.size()),
                   bytes_of(bytes), bytes.size(), mac.data(), &size) != nullptr;
  return made && signature.size() == size && CRYPTO_memcmp(mac.data(), signature.data(), size) == 0;
}

bool verify_public(JwtAlgorithm algorithm, const JwtKey& key, std::string_view bytes,
                   std::string_view signature) {
  std::string der;
  if (size_t size = coordinate_size(key.type); size > 0) {
    der = to_der(signature, size);
    if (der.empty()) return false;
    signature = der;
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
  EVP_PKEY_CTX* settings = nullptr;  // belongs to the context
  if (EVP_DigestVerifyInit(context.get(), &settings, hash_of(algorithm), nullptr, key.key.get()) !=
      1) {
    return false;
  }
  if (is_pss(algorithm)) {
    bool set = EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (!set) return false;
  }
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(bytes),
                          bytes.size()) == 1;
}

}  // namespace

bool verify_signature(JwtAlgorithm algorithm, const JwtKey& key, std::string_view bytes,
                      std::string_view signature) {
  if (!fits(key, algorithm)) return false;
  if (key.type == JwtKey::Type::secret) return verify_mac(algorithm, key, bytes, signature);
  bool good = verify_public(algorithm, key, bytes, signature);
  // What is left in the thread's queue would be taken for an error of its next TLS session.
  ERR_clear_error();
  return good;
}

}  // namespace lb
