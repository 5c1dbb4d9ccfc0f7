// SPDX-License-Identifier: MIT
#include "l7/jwt_keys.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "l7/jwt_jwk.h"

namespace lb {

namespace {

using Type = JwtKey::Type;

// RFC 7518, 3.2: a secret is at least as long as the hash. 0: the algorithm knows no secret.
size_t advised_secret(JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::hs256:
      return 32;
    case JwtAlgorithm::hs384:
      return 48;
    case JwtAlgorithm::hs512:
      return 64;
    default:
      return 0;
  }
}

std::optional<Type> type_of(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return Type::rsa;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
      return Type::edwards;
    case EVP_PKEY_EC:
      return type_of_curve(key);
    default:
      return {};
  }
}

std::shared_ptr<EVP_PKEY> read_pem(std::string_view bytes) {
  auto read = [&](auto reader) {
    std::shared_ptr<BIO> bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())),
                             BIO_free);
    return std::shared_ptr<EVP_PKEY>(reader(bio.get()), EVP_PKEY_free);
  };
  auto key = read([](BIO* bio) { return PEM_read_bio_PUBKEY(bio, nullptr, nullptr, nullptr); });
  if (!key) {
    key = read([](BIO* bio) -> EVP_PKEY* {
      std::shared_ptr<X509> certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr),
                                        X509_free);
      return certificate ? X509_get_pubkey(certificate.get()) : nullptr;
    });
  }
  ERR_clear_error();
  return key;
}

Result<JwtKey> read_public_key(std::string_view bytes) {
  if (bytes.find("PRIVATE KEY-----") != std::string_view::npos) {
    return fail("holds a private key; a verifier needs the public one alone");
  }
  JwtKey key;
  key.key = read_pem(bytes);
  if (!key.key) return fail("holds no public key or certificate in PEM");
  auto type = type_of(key.key.get());
  if (!type) return fail("holds a key of a kind that no algorithm is for");
  key.type = *type;
  if (auto usable = check_key(key); !usable) return Unexpected{usable.error()};
  return key;
}

Result<JwtKey> read_secret(std::string_view bytes) {
  if (bytes.ends_with('\n')) bytes.remove_suffix(1);
  if (bytes.empty()) return fail("is empty");
  // Whoever has the public key, which is everybody, could sign.
  if (bytes.starts_with("-----BEGIN ")) {
    return fail("holds a key in PEM, not a shared secret; use public_key_file");
  }
  JwtKey key;
  key.secret = bytes;
  return key;
}

const char* wanted_key(JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::hs256:
    case JwtAlgorithm::hs384:
    case JwtAlgorithm::hs512:
      return "a shared secret";
    case JwtAlgorithm::es256:
      return "a key on the curve P-256";
    case JwtAlgorithm::es384:
      return "a key on the curve P-384";
    case JwtAlgorithm::es512:
      return "a key on the curve P-521";
    case JwtAlgorithm::eddsa:
      return "an Ed25519 or Ed448 key";
    default:
      return "an RSA key";
  }
}

}  // namespace

bool fits(const JwtKey& key, JwtAlgorithm algorithm) {
  if (key.only && *key.only != algorithm) return false;
  switch (algorithm) {
    case JwtAlgorithm::hs256:
    case JwtAlgorithm::hs384:
    case JwtAlgorithm::hs512:
      return key.type == Type::secret;
    case JwtAlgorithm::rs256:
    case JwtAlgorithm::rs384:
    case JwtAlgorithm::rs512:
    case JwtAlgorithm::ps256:
    case JwtAlgorithm::ps384:
    case JwtAlgorithm::ps512:
      return key.type == Type::rsa;
    case JwtAlgorithm::es256:
      return key.type == Type::p256;
    case JwtAlgorithm::es384:
      return key.type == Type::p384;
    case JwtAlgorithm::es512:
      return key.type == Type::p521;
    case JwtAlgorithm::eddsa:
      return key.type == Type::edwards;
  }
  return false;
}

Result<JwtKeys> JwtKeys::parse(JwtKeyFile kind, std::string_view bytes) {
  JwtKeys keys(kind);
  if (bytes.size() > kMaxJwtKeyFile) return fail("is larger than 1 MiB");
  if (kind == JwtKeyFile::jwks) {
    if (auto added = keys.add_jwks(bytes); !added) return Unexpected{added.error()};
    return keys;
  }
  auto key = kind == JwtKeyFile::secret ? read_secret(bytes) : read_public_key(bytes);
  if (!key) return Unexpected{key.error()};
  keys.keys_.push_back(std::move(*key));
  return keys;
}

Status<> JwtKeys::add_jwks(std::string_view bytes) {
  auto set = parse_json(bytes);
  if (!set) return fail("is no JWK set: " + set.error().message);
  if (!set->is_object() || !set->contains("keys") || !(*set)["keys"].is_array()) {
    return fail("is no JWK set: it has no list 'keys'");
  }
  const Json& list = (*set)["keys"];
  if (list.size() > kMostKeys) return fail(fmt::format("holds more than {} keys", kMostKeys));
  for (size_t i = 0; i < list.size(); ++i) {
    auto key = read_jwk(list[i]);
    if (!key) return fail(fmt::format("keys[{}]: {}", i, key.error().message));
    if (!*key) continue;
    bool is_twice = std::any_of(keys_.begin(), keys_.end(), [&](const JwtKey& other) {
      return other.kid && other.kid == (*key)->kid && other.type == (*key)->type;
    });
    if (is_twice) return fail(fmt::format("keys[{}]: another key has its kid", i));
    keys_.push_back(std::move(**key));
  }
  if (keys_.empty()) return fail("holds no key that can check a signature");
  return Done{};
}

const JwtKey* JwtKeys::find(JwtAlgorithm algorithm, const std::optional<std::string>& kid) const {
  // The one key of another kind of file has no name that a token could miss.
  bool by_kid = kid.has_value() && kind_ == JwtKeyFile::jwks;
  const JwtKey* found = nullptr;
  for (const JwtKey& key : keys_) {
    if (!fits(key, algorithm) || (by_kid && key.kid != kid)) continue;
    if (found != nullptr) return nullptr;
    found = &key;
  }
  return found;
}

std::string JwtKeys::misfit(const std::vector<JwtAlgorithm>& algorithms) const {
  auto has_key = [this](JwtAlgorithm algorithm) {
    return std::any_of(keys_.begin(), keys_.end(),
                       [=](const JwtKey& key) { return fits(key, algorithm); });
  };
  // The keys of a set come and go; one that nobody needs yet may be on its way.
  if (kind_ == JwtKeyFile::jwks && std::any_of(algorithms.begin(), algorithms.end(), has_key)) {
    return {};
  }
  for (JwtAlgorithm algorithm : algorithms) {
    if (has_key(algorithm)) continue;
    return fmt::format("{} needs {}, which the file does not hold", to_string(algorithm),
                       wanted_key(algorithm));
  }
  return {};
}

std::string JwtKeys::weakness(const std::vector<JwtAlgorithm>& algorithms) const {
  for (JwtAlgorithm algorithm : algorithms) {
    for (const JwtKey& key : keys_) {
      if (!fits(key, algorithm) || key.secret.size() >= advised_secret(algorithm)) continue;
      return fmt::format(
          "holds a secret of {} bytes, which can be guessed from any token: {} wants at least {}",
          key.secret.size(), to_string(algorithm), advised_secret(algorithm));
    }
  }
  return {};
}

}  // namespace lb
