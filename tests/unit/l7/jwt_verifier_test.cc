// SPDX-License-Identifier: MIT
#include "l7/jwt_verifier.h"

#include <gtest/gtest.h>

#include <functional>

#include "jwt_signer.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using Algorithm = JwtAlgorithm;

constexpr int64_t kNow_s = 1'700'000'000;

const JwtSigner& secret() {
  static const JwtSigner signer = JwtSigner::secret(std::string(64, 's'));
  return signer;
}
const JwtSigner& rsa() {
  static const JwtSigner signer = JwtSigner::rsa();
  return signer;
}
const JwtSigner& p256() {
  static const JwtSigner signer = JwtSigner::ec("P-256");
  return signer;
}

std::string claims(const std::string& more = "", int64_t exp_s = kNow_s + 600) {
  return R"({"sub":"ada","exp":)" + std::to_string(exp_s) + more + "}";
}

JwtKeys keys_of(JwtKeyFile kind, const std::string& bytes) {
  return JwtKeys::parse(kind, bytes).value();
}
JwtKeys jwks(const std::string& list) {
  return keys_of(JwtKeyFile::jwks, R"({"keys":[)" + list + "]}");
}

JwtVerifier verifier(std::vector<Algorithm> algorithms, JwtKeys keys) {
  JwtConfig config{.name = "shop", .algorithms = std::move(algorithms)};
  return {std::move(config), std::move(keys), {"sub"}};
}

// "" = valid, else why not.
std::string outcome(const JwtVerifier& verifier, const std::string& token, int64_t now_s = kNow_s) {
  auto result = verifier.verify(token, now_s);
  return result ? "" : to_string(result.error());
}

struct Signed {
  Algorithm algorithm;
  JwtSigner signer;
};

std::vector<Signed> all_algorithms() {
  JwtSigner p384 = JwtSigner::ec("P-384");
  JwtSigner p521 = JwtSigner::ec("P-521");
  return {{Algorithm::hs256, secret()},
          {Algorithm::hs384, secret()},
          {Algorithm::hs512, secret()},
          {Algorithm::rs256, rsa()},
          {Algorithm::rs384, rsa()},
          {Algorithm::rs512, rsa()},
          {Algorithm::ps256, rsa()},
          {Algorithm::ps384, rsa()},
          {Algorithm::ps512, rsa()},
          {Algorithm::es256, p256()},
          {Algorithm::es384, p384},
          {Algorithm::es512, p521},
          {Algorithm::eddsa, JwtSigner::edwards("ED25519")},
          {Algorithm::eddsa, JwtSigner::edwards("ED448")}};
}

void change(std::string& token, size_t at) {
  token[at] = token[at] == 'A' ? 'B' : 'A';
}

TEST(JwtVerifier, EveryAlgorithmVerifiesItsOwnSignaturesAndNoOthers) {
  for (const auto& [algorithm, signer] : all_algorithms()) {
    SCOPED_TRACE(to_string(algorithm));
    JwtVerifier by_set = verifier({algorithm}, jwks(signer.jwk()));
    std::string token = signer.token(algorithm, claims());
    auto verified = by_set.verify(token, kNow_s);
    ASSERT_TRUE(verified) << to_string(verified.error());
    EXPECT_EQ(verified->claim(0), "ada");
    EXPECT_EQ(verified->valid_until_s, kNow_s + 660);
    if (algorithm > Algorithm::hs512) {
      JwtVerifier by_pem =
          verifier({algorithm}, keys_of(JwtKeyFile::public_key, signer.public_pem()));
      EXPECT_EQ(outcome(by_pem, token), "");
    }
    // A character of the claims, then of the signature, and a signature cut short.
    std::string forged = token;
    change(forged, token.find('.') + 12);
    EXPECT_NE(outcome(by_set, forged), "");
    forged = token;
    change(forged, token.rfind('.') + 5);
    EXPECT_EQ(outcome(by_set, forged), "wrong signature");
    EXPECT_NE(outcome(by_set, token.substr(0, token.size() - 4)), "");
    EXPECT_NE(outcome(by_set, token.substr(0, token.rfind('.') + 1)), "");
  }
}

TEST(JwtVerifier, ATokenOfAnotherAlgorithmIsRefusedWhateverItsKey) {
  for (const auto& [algorithm, signer] : all_algorithms()) {
    for (const auto& [other, its_signer] : all_algorithms()) {
      if (other == algorithm) continue;
      JwtVerifier strict = verifier({algorithm}, jwks(signer.jwk()));
      EXPECT_EQ(outcome(strict, its_signer.token(other, claims())),
                "signed by an algorithm that is not allowed");
    }
  }
}

// RFC 7515, 7519 and 8725, a rule a row.
struct Rule {
  const char* name;
  std::string token;
  std::string why;  // "" = valid
};

std::string hs256(const std::string& header, const std::string& payload) {
  return secret().token(Algorithm::hs256, header, payload);
}
std::string with_header(const std::string& more) {
  return hs256(R"({"alg":"HS256")" + more + "}", claims());
}
std::string with_claims(const std::string& payload) {
  return secret().token(Algorithm::hs256, payload);
}
// The parts of a valid token, for spelling them otherwise.
std::string respelled(size_t part, const std::function<std::string(std::string)>& respell) {
  std::string token = with_claims(claims());
  std::vector<std::string> parts;
  for (size_t at = 0, dot = 0; dot != std::string::npos; at = dot + 1) {
    dot = token.find('.', at);
    parts.push_back(token.substr(at, dot == std::string::npos ? dot : dot - at));
  }
  parts[part] = respell(parts[part]);
  return parts[0] + "." + parts[1] + "." + parts[2];
}
// The same bytes, with bits in the last character that mean nothing.
std::string not_canonical(std::string part) {
  static const std::string alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  part.back() = alphabet[alphabet.find(part.back()) + 1];
  return part;
}

std::vector<Rule> rules() {
  const char* compact = "not three parts of base64url";
  const char* header = "no header of a JSON Web Token";
  const char* payload = "no claims of a JSON Web Token";
  const char* algorithm = "signed by an algorithm that is not allowed";
  const char* critical = "has an extension that is not known";
  std::string plain = encode_base64url(claims()) + ".";
  std::string deep = "{\"sub\":" + std::string(40, '[') + std::string(40, ']') + "}";
  return {
      {"Plain", with_claims(claims()), ""},
      {"TypeJwt", with_header(R"(,"typ":"JWT")"), ""},
      {"TypeAccessToken", with_header(R"(,"typ":"at+jwt")"), ""},
      {"UnknownHeadersAreIgnored", with_header(R"(,"x":{"y":[1]},"jku":"https://evil")"), ""},
      {"UnknownClaimsAreIgnored", with_claims(claims(R"(,"x":{"y":[1]})")), ""},
      {"KidOfOneSecret", with_header(R"(,"kid":"any")"), ""},
      // No signature, or one by another rule.
      {"None", encode_base64url(R"({"alg":"none"})") + "." + plain, algorithm},
      {"NoneInOtherCase", encode_base64url(R"({"alg":"nOnE"})") + "." + plain, algorithm},
      {"NoneWithSignature", hs256(R"({"alg":"none"})", claims()), algorithm},
      {"AlgorithmInOtherCase", hs256(R"({"alg":"hs256"})", claims()), algorithm},
      {"AlgorithmNotAllowed", secret().token(Algorithm::hs512, claims()), algorithm},
      {"OtherSecret", JwtSigner::secret(std::string(64, 'x')).token(Algorithm::hs256, claims()),
       "wrong signature"},
      {"NoAlgorithm", hs256("{}", claims()), header},
      {"AlgorithmIsNoText", hs256(R"({"alg":256})", claims()), header},
      {"KidIsNoText", with_header(R"(,"kid":7)"), header},
      {"TypeIsNoText", with_header(R"(,"typ":["JWT"])"), header},
      // Extensions.
      {"Critical", with_header(R"(,"crit":["exp"],"exp":1)"), critical},
      {"CriticalAndEmpty", with_header(R"(,"crit":[])"), critical},
      {"NotEncoded", with_header(R"(,"b64":false)"), critical},
      // One spelling only.
      {"TwoParts", "a.b", compact},
      {"FourParts", with_claims(claims()) + ".a", compact},
      {"Empty", "", compact},
      {"Dots", "..", header},
      {"PaddedHeader", respelled(0, [](std::string part) { return part + "="; }), header},
      {"PaddedPayload", respelled(1, [](std::string part) { return part + "=="; }), payload},
      {"PaddedSignature", respelled(2, [](std::string part) { return part + "="; }), compact},
      {"SpaceInHeader", respelled(0, [](std::string part) { return " " + part; }), header},
      {"LineInPayload", respelled(1, [](std::string part) { return part + "\n"; }), payload},
      {"BitsLeftInSignature", respelled(2, not_canonical), compact},
      {"PlusInSignature", respelled(2, [](std::string part) { return "+" + part.substr(1); }),
       compact},
      {"LongerThan8KiB", with_claims(claims(R"(,"x":")" + std::string(8'192, 'x') + "\"")),
       "longer than 8 KiB"},
      // JSON.
      {"HeaderIsNoObject", hs256(R"(["HS256"])", claims()), header},
      {"HeaderNameTwice", hs256(R"({"alg":"none","alg":"HS256"})", claims()), header},
      {"PayloadIsNoJson", with_claims("sub=ada"), payload},
      {"PayloadIsNoObject", with_claims("\"ada\""), payload},
      {"PayloadHasMore", with_claims(claims() + "{}"), payload},
      {"PayloadIsNoUtf8", with_claims("{\"sub\":\"\xff\",\"exp\":9999999999}"), payload},
      {"ClaimTwice", with_claims(R"({"sub":"ada","sub":"bob","exp":9999999999})"), payload},
      {"ClaimTwiceByEscape",
       with_claims("{\"sub\":\"ada\",\"s\\u0075b\":\"bob\",\"exp\":9999999999}"), payload},
      {"Deep", with_claims(deep), payload},
      // Times, with a leeway of a minute.
      {"NoExpiry", with_claims(R"({"sub":"ada"})"), "never expires"},
      {"ExpiredWithinLeeway", with_claims(claims("", kNow_s - 59)), ""},
      {"Expired", with_claims(claims("", kNow_s - 60)), "expired"},
      {"ExpiryIsText", with_claims(R"({"exp":"9999999999"})"), payload},
      {"ExpiryIsNull", with_claims(R"({"exp":null})"), payload},
      {"ExpiryIsNegative", with_claims(R"({"exp":-1})"), "expired"},
      {"ExpiryIsHuge", with_claims(R"({"exp":1e300})"), ""},
      {"ExpiryIsOutOfRange", with_claims(R"({"exp":1e999})"), payload},
      {"ExpiryHasAFraction", with_claims(R"({"exp":1699999940.5})"), ""},
      {"NotBeforeWithinLeeway", with_claims(claims(",\"nbf\":" + std::to_string(kNow_s + 60))), ""},
      {"NotBefore", with_claims(claims(",\"nbf\":" + std::to_string(kNow_s + 61))),
       "not valid yet"},
      {"NotBeforeIsText", with_claims(claims(R"(,"nbf":"soon")")), payload},
      {"IssuedIsText", with_claims(claims(R"(,"iat":"now")")), payload},
  };
}

class JwtRules : public testing::TestWithParam<Rule> {};

TEST_P(JwtRules, Hold) {
  JwtVerifier strict =
      verifier({Algorithm::hs256}, keys_of(JwtKeyFile::secret, std::string(64, 's') + "\n"));
  EXPECT_EQ(outcome(strict, GetParam().token), GetParam().why);
}

INSTANTIATE_TEST_SUITE_P(JwtVerifier, JwtRules, testing::ValuesIn(rules()),
                         [](const auto& row) { return row.param.name; });

TEST(JwtVerifier, APublicKeyIsNoSecret) {
  std::string pem = rsa().public_pem();
  JwtSigner confused = JwtSigner::secret(pem);
  std::string token = confused.token(Algorithm::hs256, claims());
  for (auto allowed : {std::vector{Algorithm::rs256}, {Algorithm::rs256, Algorithm::hs256}}) {
    EXPECT_NE(outcome(verifier(allowed, keys_of(JwtKeyFile::public_key, pem)), token), "");
    EXPECT_NE(outcome(verifier(allowed, jwks(rsa().jwk())), token), "");
  }
  EXPECT_FALSE(JwtKeys::parse(JwtKeyFile::secret, pem));
}

TEST(JwtVerifier, IssuerAndAudienceAreCheckedWhereTheyAreGiven) {
  JwtConfig config{.name = "shop",
                   .algorithms = {Algorithm::hs256},
                   .issuer = "https://id.example",
                   .audience = "shop"};
  JwtVerifier strict(config, keys_of(JwtKeyFile::secret, std::string(64, 's')), {});
  struct Row {
    const char* more;
    const char* why;
  };
  const Row rows[] = {
      {R"(,"iss":"https://id.example","aud":"shop")", ""},
      {R"(,"iss":"https://id.example","aud":["blog","shop"])", ""},
      {R"(,"aud":"shop")", "from another issuer"},
      {R"(,"iss":"https://id.example/","aud":"shop")", "from another issuer"},
      {R"(,"iss":["https://id.example"],"aud":"shop")", "from another issuer"},
      {R"(,"iss":"https://id.example")", "for another audience"},
      {R"(,"iss":"https://id.example","aud":"Shop")", "for another audience"},
      {R"(,"iss":"https://id.example","aud":[])", "for another audience"},
      {R"(,"iss":"https://id.example","aud":["shop",7])", "for another audience"},
      {R"(,"iss":"https://id.example","aud":{"shop":1})", "for another audience"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(outcome(strict, with_claims(claims(row.more))), row.why) << row.more;
  }
}

TEST(JwtVerifier, WithoutAnExpiryATokenIsValidWhereThatIsAllowed) {
  JwtConfig config{.name = "shop", .algorithms = {Algorithm::hs256}, .require_exp = false};
  JwtVerifier lax(config, keys_of(JwtKeyFile::secret, std::string(64, 's')), {});
  auto verified = lax.verify(with_claims("{}"), kNow_s);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->valid_until_s, INT64_MAX);
  EXPECT_EQ(outcome(lax, with_claims(claims("", kNow_s - 60))), "expired");
}

TEST(JwtVerifier, KeysOfASetAreChosenByKid) {
  JwtSigner first = JwtSigner::ec("P-256");
  JwtSigner second = JwtSigner::ec("P-256");
  JwtVerifier by_set =
      verifier({Algorithm::es256, Algorithm::rs256},
               jwks(first.jwk(R"("kid":"a",)") + "," + second.jwk(R"("kid":"b",)") + "," +
                    rsa().jwk(R"("kid":"a",)")));
  auto token = [](const JwtSigner& signer, Algorithm algorithm, const std::string& kid) {
    std::string name(to_string(algorithm));
    return signer.token(algorithm, R"({"alg":")" + name + "\"" + kid + "}", claims());
  };
  EXPECT_EQ(outcome(by_set, token(first, Algorithm::es256, R"(,"kid":"a")")), "");
  EXPECT_EQ(outcome(by_set, token(second, Algorithm::es256, R"(,"kid":"b")")), "");
  EXPECT_EQ(outcome(by_set, token(rsa(), Algorithm::rs256, R"(,"kid":"a")")), "");
  EXPECT_EQ(outcome(by_set, token(first, Algorithm::es256, R"(,"kid":"b")")), "wrong signature");
  EXPECT_EQ(outcome(by_set, token(first, Algorithm::es256, R"(,"kid":"c")")),
            "not exactly one key fits");
  EXPECT_EQ(outcome(by_set, token(first, Algorithm::es256, "")), "not exactly one key fits")
      << "two could be meant";
  EXPECT_EQ(outcome(by_set, token(rsa(), Algorithm::rs256, "")), "") << "the only one that fits";
}

TEST(JwtVerifier, ClaimsAreTextsAndWholeNumbers) {
  JwtVerifier curious(
      {.name = "shop", .algorithms = {Algorithm::hs256}},
      keys_of(JwtKeyFile::secret, std::string(64, 's')),
      {"text", "number", "big", "fraction", "list", "empty", "long", "longest", "missing"});
  std::string longest(VerifiedToken::kMaxClaim, 'x');
  auto verified = curious.verify(
      with_claims(claims(R"(,"text":"a b","number":-7,"big":18446744073709551615,"fraction":1.5,)"
                         R"("list":["a"],"empty":"","longest":")" +
                         longest + R"(","long":"x)" + longest + "\"")),
      kNow_s);
  ASSERT_TRUE(verified);
  size_t index = 0;
  for (std::string_view expected :
       {"a b", "-7", "18446744073709551615", "", "", "", "", longest.c_str(), "", "", ""}) {
    EXPECT_EQ(verified->claim(index), expected) << index;
    ++index;
  }
  EXPECT_EQ(curious.index_of("big"), 2u);
  EXPECT_FALSE(curious.index_of("sub"));
}

TEST(JwtVerifier, IsToldFromEveryOther) {
  JwtVerifier one = verifier({Algorithm::hs256}, jwks(secret().jwk()));
  JwtVerifier other = verifier({Algorithm::hs256}, jwks(secret().jwk()));
  EXPECT_EQ(one.digest_of("a.b.c"), one.digest_of("a.b.c"));
  EXPECT_NE(one.digest_of("a.b.c"), one.digest_of("a.b.d"));
  EXPECT_NE(one.digest_of("a.b.c"), other.digest_of("a.b.c"));
}

}  // namespace
}  // namespace lb
