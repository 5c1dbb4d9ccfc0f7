// SPDX-License-Identifier: MIT
#include "l7/jwt_keys.h"

#include <gtest/gtest.h>

#include "jwt_signer.h"

namespace lb {
namespace {

using Algorithm = JwtAlgorithm;

std::string set_of(const std::string& list) {
  return R"({"keys":[)" + list + "]}";
}

std::string error_of(JwtKeyFile kind, const std::string& bytes) {
  auto keys = JwtKeys::parse(kind, bytes);
  return keys ? "" : keys.error().message;
}

TEST(JwtKeys, FilesThatHoldNoKeysAreRefusedWithTheReason) {
  JwtSigner rsa = JwtSigner::rsa();
  JwtSigner p256 = JwtSigner::ec("P-256");
  std::string short_x = R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})";
  std::string coordinate = encode_base64url(std::string(32, '\1'));
  std::string no_point =
      R"({"kty":"EC","crv":"P-256","x":")" + coordinate + R"(","y":")" + coordinate + "\"}";
  struct Row {
    JwtKeyFile kind;
    std::string bytes;
    const char* why;
  };
  const Row rows[] = {
      {JwtKeyFile::secret, "", "is empty"},
      {JwtKeyFile::secret, "\n", "is empty"},
      {JwtKeyFile::secret, rsa.public_pem(), "not a shared secret"},
      {JwtKeyFile::public_key, "", "no public key"},
      {JwtKeyFile::public_key, "secret", "no public key"},
      {JwtKeyFile::public_key, rsa.private_pem(), "holds a private key"},
      {JwtKeyFile::public_key, JwtSigner::rsa(1'024).public_pem(), "2048 to 8192 bits, not 1024"},
      {JwtKeyFile::public_key, JwtSigner::ec("secp256k1").public_pem(), "no algorithm is for"},
      {JwtKeyFile::jwks, "", "is no JWK set: not JSON"},
      {JwtKeyFile::jwks, "[]", "no list 'keys'"},
      {JwtKeyFile::jwks, R"({"keys":{}})", "no list 'keys'"},
      {JwtKeyFile::jwks, set_of(""), "holds no key"},
      {JwtKeyFile::jwks, set_of("7"), "keys[0]: no key"},
      {JwtKeyFile::jwks, set_of(R"({"kty":"RSA","n":"AQAB"})"), "keys[0]: 'e' is no base64url"},
      {JwtKeyFile::jwks, set_of(R"({"kty":"RSA","n":"A=","e":"AQAB"})"), "'n' is no base64url"},
      {JwtKeyFile::jwks, set_of(JwtSigner::rsa(1'024).jwk()), "2048 to 8192 bits"},
      {JwtKeyFile::jwks, set_of(short_x), "'x' and 'y' have 32 bytes each on P-256"},
      {JwtKeyFile::jwks, set_of(no_point), "no point on P-256"},
      {JwtKeyFile::jwks, set_of(R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"), "no public key"},
      {JwtKeyFile::jwks, set_of(p256.jwk(R"("kid":7,)")), "'kid' is no text"},
      {JwtKeyFile::jwks,
       set_of(p256.jwk(R"("kid":"a",)") + "," + JwtSigner::ec("P-256").jwk(R"("kid":"a",)")),
       "keys[1]: another key has its kid"},
      {JwtKeyFile::jwks, set_of(p256.jwk(R"("use":"enc",)")), "holds no key"},
      {JwtKeyFile::jwks, std::string(kMaxJwtKeyFile + 1, ' '), "larger than 1 MiB"},
  };
  for (const Row& row : rows) {
    EXPECT_NE(error_of(row.kind, row.bytes).find(row.why), std::string::npos)
        << "'" << error_of(row.kind, row.bytes) << "' instead of '" << row.why << "'";
  }
}

TEST(JwtKeys, KeysForOtherEndsArePassedOver) {
  JwtSigner p256 = JwtSigner::ec("P-256");
  std::string others = JwtSigner::rsa().jwk(R"("use":"enc",)") + "," +
                       JwtSigner::rsa().jwk(R"("key_ops":["encrypt"],)") + "," +
                       R"({"kty":"AKP","alg":"ML-DSA-44","pub":"AA"},)" +
                       R"({"kty":"OKP","crv":"X25519","x":"AA"},)";
  auto keys = JwtKeys::parse(JwtKeyFile::jwks,
                             set_of(others + p256.jwk(R"("use":"sig","key_ops":["verify"],)")));
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->size(), 1u);
  EXPECT_NE(keys->find(Algorithm::es256, {}), nullptr);
}

TEST(JwtKeys, AKeyWithAnAlgorithmServesThatOneAlone) {
  auto keys = JwtKeys::parse(JwtKeyFile::jwks, set_of(JwtSigner::rsa().jwk(R"("alg":"PS256",)")));
  ASSERT_TRUE(keys);
  EXPECT_NE(keys->find(Algorithm::ps256, {}), nullptr);
  EXPECT_EQ(keys->find(Algorithm::rs256, {}), nullptr);
}

TEST(JwtKeys, AlgorithmsMustFitTheKey) {
  auto misfit = [](JwtKeyFile kind, const std::string& bytes, std::vector<Algorithm> algorithms) {
    return JwtKeys::parse(kind, bytes).value().misfit(algorithms);
  };
  std::string rsa = JwtSigner::rsa().public_pem();
  EXPECT_EQ(misfit(JwtKeyFile::public_key, rsa, {Algorithm::rs256, Algorithm::ps512}), "");
  EXPECT_EQ(misfit(JwtKeyFile::public_key, rsa, {Algorithm::rs256, Algorithm::es256}),
            "ES256 needs a key on the curve P-256, which the file does not hold");
  EXPECT_NE(misfit(JwtKeyFile::public_key, rsa, {Algorithm::hs256}), "");
  EXPECT_EQ(misfit(JwtKeyFile::secret, std::string(32, 's'), {Algorithm::hs256}), "");
  EXPECT_EQ(misfit(JwtKeyFile::secret, "short", {Algorithm::hs512}), "");
  std::string set = set_of(JwtSigner::rsa().jwk());
  EXPECT_EQ(misfit(JwtKeyFile::jwks, set, {Algorithm::es256, Algorithm::rs256}), "")
      << "the other key may be on its way";
  EXPECT_NE(misfit(JwtKeyFile::jwks, set, {Algorithm::es256, Algorithm::hs256}), "");
}

TEST(JwtKeys, AShortSecretWorksAndIsWarnedOf) {
  auto weakness = [](const std::string& secret, std::vector<Algorithm> algorithms) {
    return JwtKeys::parse(JwtKeyFile::secret, secret).value().weakness(algorithms);
  };
  EXPECT_EQ(weakness(std::string(32, 's'), {Algorithm::hs256}), "");
  EXPECT_NE(weakness(std::string(32, 's'), {Algorithm::hs256, Algorithm::hs512}), "");
  EXPECT_EQ(weakness("secret", {Algorithm::hs256}),
            "holds a secret of 6 bytes, which can be guessed from any token: HS256 wants at least "
            "32");
  EXPECT_EQ(JwtKeys::parse(JwtKeyFile::public_key, JwtSigner::rsa().public_pem())
                .value()
                .weakness({Algorithm::rs256}),
            "");
}

}  // namespace
}  // namespace lb
