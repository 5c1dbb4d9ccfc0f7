// SPDX-License-Identifier: MIT
#include "l7/jwt_jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "common/base64url.h"
#include "common/log.h"

namespace lb {

namespace {

using Type = JwtKey::Type;

struct Curve {
  std::string_view name;  // in a JWK
  const char* group;      // for OpenSSL
  Type type;
  size_t bytes;  // of a coordinate
};

constexpr std::array<Curve, 3> kCurves = {{{"P-256", "prime256v1", Type::p256, 32},
                                           {"P-384", "secp384r1", Type::p384, 48},
                                           {"P-521", "secp521r1", Type::p521, 66}}};

std::string text_of(const Json& jwk, const char* name) {
  auto found = jwk.find(name);
  return found != jwk.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<std::string> bytes_of(const Json& jwk, const char* name) {
  auto bytes = decode_base64url(text_of(jwk, name));
  if (!bytes || bytes->empty()) return fail(fmt::format("'{}' is no base64url", name));
  return std::move(*bytes);
}

std::shared_ptr<EVP_PKEY> make_key(const char* type, OSSL_PARAM_BLD* builder) {
  std::shared_ptr<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder), OSSL_PARAM_free);
  std::shared_ptr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr),
                                        EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  bool made = params && context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
              EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1;
  ERR_clear_error();
  return {made ? key : nullptr, EVP_PKEY_free};
}

using Builder = std::shared_ptr<OSSL_PARAM_BLD>;
using Number = std::shared_ptr<BIGNUM>;

Number number_of(const std::string& bytes) {
  return {BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()), nullptr),
          BN_free};
}

Result<JwtKey> read_rsa(const Json& jwk) {
  auto n = bytes_of(jwk, "n");
  if (!n) return Unexpected{n.error()};
  auto e = bytes_of(jwk, "e");
  if (!e) return Unexpected{e.error()};
  Number modulus = number_of(*n);
  Number exponent = number_of(*e);
  Builder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  JwtKey key{.type = Type::rsa};
  key.key = make_key("RSA", builder.get());
  if (!key.key) return fail("no RSA key");
  return key;
}

Result<JwtKey> read_ec(const Json& jwk, const Curve& curve) {
  auto x = bytes_of(jwk, "x");
  if (!x) return Unexpected{x.error()};
  auto y = bytes_of(jwk, "y");
  if (!y) return Unexpected{y.error()};
  if (x->size() != curve.bytes || y->size() != curve.bytes) {
    return fail(fmt::format("'x' and 'y' have {} bytes each on {}", curve.bytes, curve.name));
  }
  std::string point = "\x04" + *x + *y;
  Builder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  JwtKey key{.type = curve.type};
  key.key = make_key("EC", builder.get());
  if (!key.key) return fail(fmt::format("no point on {}", curve.name));
  return key;
}

Result<JwtKey> read_edwards(const Json& jwk, int type) {
  auto x = bytes_of(jwk, "x");
  if (!x) return Unexpected{x.error()};
  JwtKey key{.type = Type::edwards};
  key.key = std::shared_ptr<EVP_PKEY>(
      EVP_PKEY_new_raw_public_key(type, nullptr, reinterpret_cast<const unsigned char*>(x->data()),
                                  x->size()),
      EVP_PKEY_free);
  ERR_clear_error();
  if (!key.key) return fail("'x' is no public key of its curve");
  return key;
}

bool is_for_signatures(const Json& jwk) {
  if (jwk.contains("use") && text_of(jwk, "use") != "sig") return false;
  auto operations = jwk.find("key_ops");
  if (operations == jwk.end()) return true;
  if (!operations->is_array()) return false;
  return std::any_of(operations->begin(), operations->end(),
                     [](const Json& operation) { return operation == "verify"; });
}

// Nothing where the kind of key is not known.
std::optional<Result<JwtKey>> read_material(const Json& jwk) {
  std::string type = text_of(jwk, "kty");
  if (type == "RSA") return read_rsa(jwk);
  std::string name = text_of(jwk, "crv");
  if (type == "EC") {
    for (const Curve& curve : kCurves) {
      if (curve.name == name) return read_ec(jwk, curve);
    }
  }
  if (type == "OKP" && name == "Ed25519") return read_edwards(jwk, EVP_PKEY_ED25519);
  if (type == "OKP" && name == "Ed448") return read_edwards(jwk, EVP_PKEY_ED448);
  if (type == "oct") {
    auto secret = bytes_of(jwk, "k");
    if (!secret) return Unexpected{secret.error()};
    JwtKey key;
    key.secret = std::move(*secret);
    return key;
  }
  return {};
}

std::optional<JwtAlgorithm> algorithm_of(std::string_view name) {
  for (auto each = JwtAlgorithm::hs256; each <= JwtAlgorithm::eddsa;
       each = static_cast<JwtAlgorithm>(static_cast<uint8_t>(each) + 1)) {
    if (to_string(each) == name) return each;
  }
  return {};
}

}  // namespace

std::optional<Type> type_of_curve(EVP_PKEY* key) {
  std::array<char, 64> name{};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) return {};
  for (const Curve& curve : kCurves) {
    if (std::string_view(name.data(), size) == curve.group) return curve.type;
  }
  return {};
}

Status<> check_key(const JwtKey& key) {
  if (key.type == Type::secret) return Done{};
  if (key.type == Type::rsa) {
    int bits = EVP_PKEY_get_bits(key.key.get());
    if (bits < JwtKeys::kLeastRsaBits || bits > JwtKeys::kMostRsaBits) {
      return fail(fmt::format("an RSA key has {} to {} bits, not {}", JwtKeys::kLeastRsaBits,
                              JwtKeys::kMostRsaBits, bits));
    }
  }
  std::shared_ptr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key.key.get(), nullptr),
                                        EVP_PKEY_CTX_free);
  bool good = context && EVP_PKEY_public_check(context.get()) == 1;
  ERR_clear_error();
  if (!good) return fail("a public key that cannot be right");
  return Done{};
}

Result<std::optional<JwtKey>> read_jwk(const Json& jwk) {
  if (!jwk.is_object()) return fail("no key");
  if (!is_for_signatures(jwk)) return std::optional<JwtKey>();
  std::optional<JwtAlgorithm> only;
  if (jwk.contains("alg")) {
    only = algorithm_of(text_of(jwk, "alg"));
    if (!only) return std::optional<JwtKey>();
  }
  auto key = read_material(jwk);
  if (!key) return std::optional<JwtKey>();
  if (!*key) return Unexpected{key->error()};
  if (auto usable = check_key(**key); !usable) return Unexpected{usable.error()};
  (*key)->only = only;
  if (jwk.contains("kid")) {
    if (!jwk["kid"].is_string()) return fail("'kid' is no text");
    (*key)->kid = text_of(jwk, "kid");
  }
  return std::optional<JwtKey>(std::move(**key));
}

}  // namespace lb
